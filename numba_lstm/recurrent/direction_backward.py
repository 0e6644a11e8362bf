"""One direction of one recurrent layer, backward: dz, then everything that follows from it.

The plain equations are `reference.recurrent.recurrent_backward`. The saved gates of a long sequence
outgrow the last-level cache, and dz, which overwrites them, is read twice after it has been made:
for dx and for dW. So time is taken in pieces whose dz is still in the cache when those products
read it.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .. import tuning
from ..kernels.loops.arguments import Masks
from ..kernels.loops.cell import NORMALISED
from ..kernels.loops.schedule import Schedule
from ..parameters.parameter import Parameter
from ..parameters.products import weight_gradient
from ..parameters.scratch import Lease
from ..quiet import add_into
from .direction import DirectionState, Saved, as_tuple
from .gradients import (
    WeightGradients,
    input_gradient,
    norm_gradients,
    unit_gradient,
)
from .kernel_masks import no_masks
from .operands import operands, w_hh_columns
from .plan import backward_way
from .steps import Steps
from .weights import Weights, no_items
from .workspace import workspace_backward

__all__ = ["Cotangents", "backward"]


class Cotangents(NamedTuple):
    """The cotangents of one direction's results; None for zero.

    Attributes
    ----------
    dy : (N, ≥ y_column + size of h)
    y_column : int
        The column of dy in which this direction's begin.
    dhn, dcn : (B, size of h) and (B, H)
    dcells : (N, H)
        What reaches c after each step other than through y.
    """

    dy: np.ndarray | None
    y_column: int
    dhn: np.ndarray | None
    dcn: np.ndarray | None
    dcells: np.ndarray | None = None


class _Loop(NamedTuple):
    """What the time loop reads and writes at every step.

    Attributes
    ----------
    w_hh : (strips of h, rows, strip·V)
        W_hh as the operand of dz·W_hh, packed by `pack.pack_columns`.
    dz : (P, ≥ N, PANEL·V)
        What is multiplied by it.
    dh, d_gate_state : (B, padded size of h) and (B, padded H), or of no columns
        The gradients of h_t and of `gate_state`, as the loop goes back.
    carry : (B, padded size of h), or of no columns
        With zoneout: the part of dh_t that goes to h_{t-1} past the cell.
    dcells : (N, padded H), or no items
    masks : kernels' Masks
    workspace
        See `workspace.workspace_backward`.
    """

    w_hh: np.ndarray
    dz: np.ndarray
    dh: np.ndarray
    d_gate_state: np.ndarray
    carry: np.ndarray
    dcells: np.ndarray
    masks: Masks
    workspace: Any


def backward(
    w: Weights,
    saved: Saved,
    cotangents: Cotangents,
    dx: np.ndarray | None,
    dinitial: DirectionState,
    embedding: Parameter | None = None,
    padding: int | None = None,
) -> None:
    """Add the gradients of all parameters; fill dx and the initial states' gradients.

    Parameters
    ----------
    w : Weights
        Those that ran forward.
    saved : Saved
        Overwritten: it serves once.
    cotangents : Cotangents
    dx : (N, I), written, or None
        None with tokens.
    dinitial : DirectionState, written
        dh0 and dc0.
    embedding : Parameter, optional
        With tokens: the table whose rows were the inputs. Its gradient is added, too.
    padding : int, optional
        The row of the table that gets no gradient.
    """
    steps = saved.steps
    normalised = w.cell.form == NORMALISED
    lease = Lease()
    loop = _loop(w, saved, cotangents, lease)
    way = backward_way(w, steps, loop.w_hh.nbytes)
    plan, trial = way.begin()
    schedule, seconds = plan.schedule, 0.0
    gradients = WeightGradients(w, saved, lease, embedding)
    some = _steps_at_once(saved.z, steps)
    # The workspace's sums are of z's dtype: in float32 they lose digits over more than a piece.
    total = np.zeros(loop.workspace.sums.shape[1]) if normalised else None
    for begin in range(0, steps.count, some):
        end = min(steps.count, begin + some)
        began = perf_counter()
        _run_loop(w, saved, cotangents, loop, schedule, begin, end)
        seconds += perf_counter() - began
        t0, t1 = (begin, end) if saved.reverse else (steps.count - end, steps.count - begin)
        rows = slice(int(steps.offsets[t0]), int(steps.offsets[t1]))
        gradients.add(rows)
        if dx is not None:
            input_gradient(w, saved.z, rows, dx[rows])
        if total is not None:
            with np.errstate(all="ignore"):
                total += loop.workspace.sums.sum(axis=0, dtype=np.float64)
            loop.workspace.sums[...] = 0
    way.end(trial, seconds)
    gradients.finish(padding)
    if total is not None:
        norm_gradients(w, total)
    if w.w_hr is not None and w.w_hr.requires_grad:
        dh = loop.workspace.dh[:, : w.size]
        weight_gradient(w.w_hr, saved.workspace.m, np.ascontiguousarray(dh))
    if w.w_unit is not None and w.w_unit.requires_grad:
        unit_gradient(w, w.w_unit, saved, loop.masks)
    _take_states(w, loop, dinitial)
    lease.release()


def _loop(w: Weights, saved: Saved, cotangents: Cotangents, lease: Lease) -> _Loop:
    """The arrays of the time loop, as they are before its first step."""
    steps, z, cell = saved.steps, saved.z, w.cell
    dh = lease.array((steps.batch, w.padded_h), z.dtype)
    _copy_padded(dh, cotangents.dhn)
    d_gate_state = lease.rows(steps.batch, w.padded if cell.carries else 0, z.dtype)
    _copy_padded(d_gate_state, cotangents.dcn if cell.carries and cell.states == 2 else None)
    carry = no_items(z.dtype)
    if saved.masks is None:
        masks = no_masks(w)
    else:
        masks = saved.masks
        if cell.states == 1:  # h is the state that goes past the gates
            masks = masks._replace(zone_c=masks.zone_h)
        if len(masks.zone_h):
            carry = lease.array((steps.batch, w.padded_h), z.dtype)
            carry.fill(0)
    dcells = no_items(z.dtype)
    if cotangents.dcells is not None:
        dcells = lease.array((steps.rows, w.padded), z.dtype)
        _copy_padded(dcells, cotangents.dcells)
    workspace = workspace_backward(w, steps, saved.workspace, lease)
    dz = saved.workspace.zh if cell.form == NORMALISED else z
    loop = w_hh_columns(w), dz, dh, d_gate_state, carry, dcells, masks, workspace
    return as_tuple(_Loop, loop)


def _run_loop(
    w: Weights,
    saved: Saved,
    cotangents: Cotangents,
    loop: _Loop,
    schedule: Schedule,
    begin: int,
    end: int,
) -> None:
    """Run the driver over steps `begin` … `end`, counted from the one that it starts with."""
    steps, reverse, _, _, _, z, u, gate_state, _, h_column = saved
    dy, y_column = cotangents[:2]
    shares = steps.shares(schedule.nt // schedule.columns)
    run, crew = w.cell.backward.on(schedule.nt)
    run(
        crew, *schedule, reverse, begin, end, steps.offsets, shares, dy is not None,
        u if dy is None else dy, y_column, loop.w_hh, z, loop.dz, u, h_column, gate_state,
        loop.dh, loop.d_gate_state, w.size, w.hidden, loop.masks, loop.carry,
        loop.dcells, loop.workspace, operands(w).constants,
    )  # fmt: skip


def _copy_padded(array: np.ndarray, values: np.ndarray | None) -> None:
    """array (rows, padded) = values (rows, columns), and zeros in the padding and for None."""
    if values is None:
        array.fill(0)
        return
    columns = values.shape[1]
    if columns == array.shape[1]:
        array[...] = values
        return
    array[:, :columns] = values
    array[:, columns:] = 0


def _take_states(w: Weights, loop: _Loop, dinitial: DirectionState) -> None:
    """dh0 and dc0, of the parts that the time loop has left."""
    dh0, dc0 = dinitial
    dh0[...] = loop.dh if w.size == w.padded_h else loop.dh[:, : w.size]
    if w.cell.states == 2:
        dc0[...] = loop.d_gate_state[:, : w.hidden]
    elif w.cell.carries:
        add_into(dh0, loop.d_gate_state[:, : w.hidden])
    if loop.carry.size:
        add_into(dh0, loop.carry[:, : w.size])


def _steps_at_once(z: np.ndarray, steps: Steps) -> int:
    """Steps in a piece of time: all if dz stays in the cache, else so many that their dz does."""
    bytes_of_step = steps.mean * z.shape[0] * z.shape[2] * z.itemsize
    if steps.count * bytes_of_step <= 2 * tuning.PIECE_BYTES:
        return steps.count
    # Whole blocks of `gemm_transposed`: its last block would be a small one each time.
    some = max(1, tuning.GEMM_TRANSPOSED_K // steps.mean)
    return max(1, tuning.PIECE_BYTES // bytes_of_step // some) * some
