"""The workspace of one direction: arrays of a cell whose step has several phases.

A phase leaves there what the next one reads, and the forward pass what the backward pass reads.
"""

from __future__ import annotations

from typing import Any

from .. import tuning
from ..kernels import pack
from ..kernels.loops.arguments import Norm, NormBack, Second, SecondBack
from ..kernels.loops.cell import NORMALISED, PLAIN
from ..kernels.loops.normalised_backward import numbers_of_unit
from ..parameters.packed import packed_columns, packed_rows, zeros
from ..parameters.scratch import Lease
from ..simd import PANEL
from .steps import Steps
from .weights import Weights

__all__ = ["gates_rows", "workspace_backward", "workspace_forward"]


def gates_rows(rows: int) -> int:
    """Rows of a panel of saved gates, a few more to spread the panels over the cache's sets."""
    if rows < tuning.GATES_ROW_MULTIPLE:
        return rows
    return rows + (tuning.GATES_ROW_REST - rows) % tuning.GATES_ROW_MULTIPLE


def workspace_forward(w: Weights, rows: int, lease: Lease) -> Any:
    """Give the workspace of a forward pass over so many rows; None for a cell of one phase."""
    cell = w.cell
    if cell.form == PLAIN:
        return None
    dtype = w.w_hh.dtype
    if cell.form == NORMALISED:
        assert cell.groups is not None
        shape = w.panels, gates_rows(rows), PANEL * w.lanes
        numbers = 2 * (len(cell.groups.x) + len(cell.groups.h) + 1)
        return Norm(
            lease.array(shape, dtype), lease.array(shape, dtype),
            lease.array((rows, numbers), dtype),
            lease.array((rows if cell.states == 2 else 0, w.padded), dtype), zeros(dtype),
        )  # fmt: skip
    second = packed_rows(w.w_hh, w.last_gate) if w.w_hr is None else packed_rows(w.w_hr)
    return Second(second, zeros(dtype), lease.array((rows, w.padded), dtype))


def workspace_backward(w: Weights, steps: Steps, saved: Any, lease: Lease) -> Any:
    """Give the workspace of the backward pass, `saved` being the forward pass's."""
    dtype = w.w_hh.dtype
    if w.cell.form == PLAIN:
        return None
    if w.cell.form == NORMALISED:
        batch = steps.batch
        numbers = numbers_of_unit(w.cell.slots) * w.panels * w.lanes
        sums = lease.array((batch, numbers), dtype)
        sums[...] = 0
        return NormBack(
            saved.zx, saved.zh, saved.moments, saved.c, lease.array((batch, w.padded_h), dtype),
            lease.array((batch, saved.moments.shape[1]), dtype), sums,
        )  # fmt: skip
    rows = steps.rows
    if w.w_hr is not None:
        packed = packed_columns(w.w_hr, 1, pack.PLAIN, w.size)
    else:
        rows = 0
        packed = packed_columns(w.w_hh, 1, pack.PLAIN, w.panels * w.lanes, w.last_gate)
    return SecondBack(packed, zeros(dtype, 32), lease.array((rows, w.padded_h), dtype))
