"""The arrays that a cell of several phases has for itself: between phases, and for the way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tuning
from ..kernels import pack
from ..kernels.loops.arguments import Norm, NormBack, Second, SecondBack
from ..kernels.loops.cell import NORMALISED, PLAIN
from ..kernels.loops.normalised_backward import numbers_of_unit
from ..parameters.packed import packed_columns, packed_rows
from ..parameters.scratch import Lease
from ..simd import PANEL
from .operands import zeros
from .steps import Steps
from .weights import Weights

__all__ = ["gates_rows", "norm_gradients", "own_backward", "own_forward"]


def gates_rows(rows: int) -> int:
    """Rows of a panel of saved gates, a few more to spread the panels over the cache's sets."""
    if rows < tuning.GATES_ROW_MULTIPLE:
        return rows
    return rows + (tuning.GATES_ROW_REST - rows) % tuning.GATES_ROW_MULTIPLE


def own_forward(w: Weights, rows: int, lease: Lease) -> Any:
    """Give those of the way there, of so many rows; None for a cell of one phase."""
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
            lease.array((rows if cell.states == 2 else 0, w.padded), dtype), zeros(w),
        )  # fmt: skip
    second = packed_rows(w.w_hh, w.last_gate) if w.w_hr is None else packed_rows(w.w_hr)
    return Second(second, zeros(w), lease.array((rows, w.padded), dtype))


def own_backward(w: Weights, steps: Steps, kept: Any, lease: Lease) -> Any:
    """Give those of the way back, `kept` being those of the way there."""
    dtype = w.w_hh.dtype
    if w.cell.form == PLAIN:
        return None
    if w.cell.form == NORMALISED:
        batch = steps.batch
        numbers = numbers_of_unit(w.cell.slots) * w.panels * w.lanes
        sums = lease.array((batch, numbers), dtype)
        sums[...] = 0
        return NormBack(
            kept.x, kept.h, kept.moments, kept.m, lease.array((batch, w.padded_h), dtype),
            lease.array((batch, kept.moments.shape[1]), dtype), sums,
        )  # fmt: skip
    rows = steps.rows
    if w.w_hr is not None:
        packed = packed_columns(w.w_hr, 1, pack.PLAIN, w.size)
    else:
        rows = 0
        packed = packed_columns(w.w_hh, 1, pack.PLAIN, w.panels * w.lanes, w.last_gate)
    return SecondBack(packed, zeros(w, 32), lease.array((rows, w.padded_h), dtype))


def norm_gradients(w: Weights, total: np.ndarray) -> None:
    """Add the gradients of gains and biases, from the sums of all rows."""
    cell, slots, hidden = w.cell, w.cell.slots, w.hidden
    total = total.reshape(w.panels, -1, w.lanes)
    total = total.swapaxes(0, 1).reshape(-1, w.padded)[:, :hidden].astype(w.w_hh.dtype)
    for p, start, order in (
        (w.ln_ih, 0, cell.x_order),
        (w.ln_hh, slots, cell.h_order),
        (w.b_ih, 2 * slots + 2, cell.x_order),
        (w.b_hh, 2 * slots + 2, cell.h_order),
    ):
        if p is not None and p.requires_grad:
            grad = np.empty((cell.gates, hidden), p.dtype)
            grad[order[order >= 0]] = total[start : start + slots][order >= 0]
            p.add_grad(grad.reshape(-1), own=True)
    for p, at in ((w.ln_c, 2 * slots), (w.b_ln_c, 2 * slots + 1)):
        if p is not None and p.requires_grad:
            p.add_grad(total[at].copy(), own=True)
