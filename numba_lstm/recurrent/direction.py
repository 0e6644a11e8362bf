"""One direction of one recurrent layer, forward: from parameters and arrays to a driver's call.

The plain equations of what runs here are `reference.recurrent.recurrent_forward`. Arrays come here
checked, C-contiguous and of one dtype. Nothing is kept but packed weights, which live in their
parameters. What `direction_backward` needs is in the `Saved` that `forward` returns.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .. import tuning
from ..kernels.loops.arguments import Masks
from ..kernels.loops.cell import NORMALISED, PLAIN, RESET_BEFORE
from ..kernels.loops.forward import PROJECTED
from ..parameters.parameter import Parameter
from ..parameters.products import project
from ..parameters.scratch import Lease
from ..simd import PANEL
from .kernel_masks import kernel_masks, masks_of_rows
from .operands import operands, packed_bias, packed_weights
from .plan import Plan, forward_way
from .steps import Steps
from .token_ids import NO_TOKENS
from .weights import Weights
from .workspace import gates_rows, workspace_forward

__all__ = [
    "DirectionCall",
    "DirectionState",
    "Saved",
    "forward",
    "infer",
    "kernel_masks",
    "token_table",
]

# h and c, (B, size of h) and (B, H). Of a cell without c the second one is not looked at.
DirectionState = tuple[np.ndarray, np.ndarray]


# A named tuple's own constructor is a Python function, which takes 0.4 µs longer.
as_tuple: Any = tuple.__new__


class DirectionCall(NamedTuple):
    """What one direction reads, and where its results go.

    Rows are those of all time steps, N in all, as `Steps` says.

    Attributes
    ----------
    weights : Weights
    steps : Steps
    reverse : bool
        Whether time runs from the last step to the first.
    x : (N, I), or of no columns for tokens
    initial : DirectionState or None
        None for zeros.
    y : (N, ≥ y_column + size of h), written from `y_column` on
    y_column : int
    final : DirectionState, written
        h and c after each sequence's last step; not for sequences of length 0.
    masks : kernels' Masks or None
    tokens : (N,) int64, or empty
    table : (P, V, PANEL·V) or None
        With tokens: the embedding's rows times W_ih plus the biases, packed.
    """

    weights: Weights
    steps: Steps
    reverse: bool
    x: np.ndarray
    initial: DirectionState | None
    y: np.ndarray
    y_column: int
    final: DirectionState
    masks: Masks | None = None
    tokens: np.ndarray = NO_TOKENS
    table: np.ndarray | None = None


class Saved(NamedTuple):
    """What one direction's backward pass needs: of its `DirectionCall`, and what the driver wrote.

    Attributes
    ----------
    steps, reverse, x, tokens, masks
        As in `DirectionCall`.
    z : (P, ≥ N, PANEL·V)
        The input's part of the pre-activations before a step, what the cell saves after it.
    u : (N + B, ≥ padded size of h, or I more before it)
        What each row's step multiplies: x_t, where both stand in one row, and h_{t-1}. The last
        h of row b of the batch stands in row N + b.
    gate_state : (N + B, ≥ padded H), or of no columns
        The state that the gates read beside z, in the same order: c_{t-1}, or h_{t-1} where u has
        it times a mask of dropout.
    workspace
        Arrays of a cell whose step has several phases; see `workspace`.
    h_column : int
        Where h stands in a row of u.
    """

    steps: Steps
    reverse: bool
    x: np.ndarray
    tokens: np.ndarray
    masks: Masks | None
    z: np.ndarray
    u: np.ndarray
    gate_state: np.ndarray
    workspace: Any
    h_column: int


def infer(call: DirectionCall) -> None:
    """Fill y and the final states, and keep nothing."""
    way = forward_way(call.weights, call.steps, call.table is not None, "infer")
    if way.tuner is None:
        _infer(call, way.plan)
        return
    plan, trial = way.begin()
    began = perf_counter()
    _infer(call, plan)
    way.end(trial, perf_counter() - began)


def _infer(call: DirectionCall, plan: Plan) -> None:
    w, steps, y = call.weights, call.steps, call.y
    if plan.source == PROJECTED:
        _infer_in_pieces(call, plan)
        return
    # Arrays of the right types: without `save` the driver does not touch them.
    z = w.no_gates
    if w.cell.form == PLAIN:
        _run_loop(call, plan, (z, y, y, None), False)
        return
    lease = Lease()
    if w.cell.form in (RESET_BEFORE, NORMALISED):
        z = lease.array((w.panels, steps.batch, PANEL * w.lanes), y.dtype)
    _run_loop(call, plan, (z, y, y, workspace_forward(w, steps.batch, lease)), False)
    lease.release()


def _infer_in_pieces(call: DirectionCall, plan: Plan) -> None:
    """As `_infer`, a piece of time after another, so that projected inputs stay in the cache."""
    w, steps, y = call.weights, call.steps, call.y
    lease = Lease()
    pieces = steps.pieces(tuning.INFER_ROWS)
    most = max(piece.rows for piece in pieces)
    z = lease.array((w.panels, most, PANEL * w.lanes), y.dtype)
    buffers = z, y, y, workspace_forward(w, steps.batch, lease)
    initial = call.initial
    for piece in reversed(pieces) if call.reverse else pieces:
        rows = piece.within(steps)
        part = call._replace(
            steps=piece, x=call.x[rows], initial=initial, y=y[rows],
            masks=masks_of_rows(call.masks, rows),
        )  # fmt: skip
        _run_loop(part, plan, buffers, False)
        initial = call.final
    lease.release()


def forward(call: DirectionCall, lease: Lease) -> Saved:
    """As `infer`, and keep what `direction_backward` needs, in arrays of `lease`."""
    w, steps, masks, dtype = call.weights, call.steps, call.masks, call.y.dtype
    way = forward_way(w, steps, call.table is not None, "forward")
    plan, trial = way.begin()
    began = perf_counter()
    rows = steps.rows + steps.batch
    dropped = masks is not None and len(masks.drop) > 0
    arrays = (
        lease.array((w.panels, gates_rows(steps.rows), PANEL * w.lanes), dtype),
        lease.rows(rows, plan.h_column + w.padded_h, dtype),
        lease.rows(rows, w.padded if w.cell.states == 2 or dropped else 0, dtype),
        workspace_forward(w, steps.rows, lease),
    )
    if masks is not None and len(masks.zone_c) and w.w_unit is not None:
        masks = masks._replace(fresh=lease.array((steps.rows, w.padded), dtype))
        call = call._replace(masks=masks)
    _run_loop(call, plan, arrays, True)
    way.end(trial, perf_counter() - began)
    return as_tuple(
        Saved, (steps, call.reverse, call.x, call.tokens, masks, *arrays, plan.h_column)
    )


def _run_loop(
    call: DirectionCall,
    plan: Plan,
    buffers: tuple[np.ndarray, np.ndarray, np.ndarray, Any],
    save: bool,
) -> None:
    """Run the driver, after the projection of all inputs where the plan has one.

    `buffers` are z, u, gate_state and the workspace of `Saved`.
    """
    w, steps, reverse, x, initial, y, y_column, final, masks, tokens, table = call
    z, u, gate_state, workspace = buffers
    _, packed, bias, constants = operands(w)
    if plan.source == PROJECTED:
        project(x, packed, bias, z)
    given = z if table is None else table
    nt, columns, team = plan.schedule
    h0, c0 = final if initial is None else initial
    # The driver that `kernels.loops.forward` made for this cell.
    run, crew = w.cell.forward.on(nt)
    run(
        crew, nt, columns, team, plan.source, save, reverse, w.inputs, steps.offsets,
        steps.shares(nt // columns), x, packed, bias, given, z, tokens, initial is not None, h0,
        c0, u, gate_state, y, y_column, final[0], final[1], w.hidden, w.padded_h, masks,
        workspace, constants,
    )  # fmt: skip


def token_table(w: Weights, embedding: Parameter, lease: Lease) -> np.ndarray:
    """The embedding's rows times W_ih plus the biases, packed: (P, V, PANEL·V)."""
    packed = packed_weights(w)
    table = lease.array((w.panels, embedding.shape[0], PANEL * w.lanes), packed.dtype)
    project(embedding.values_for_kernel(), packed, packed_bias(w), table)
    return table
