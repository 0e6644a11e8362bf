"""One direction of one recurrent layer, forward: from parameters and arrays to kernel calls.

Arrays come here checked, C-contiguous and of one dtype. Nothing is kept but packed weights, which
live in their parameters; what `layer_backward` needs is in the `Saved` that `forward` returns.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import threads, tuning
from ..kernels.gemm import gemm
from ..kernels.loops.arguments import Masks
from ..kernels.loops.cell import NORMALISED, PLAIN, RESET_BEFORE
from ..kernels.loops.forward import FUSED, PROJECTED, TOKENS
from ..kernels.loops.schedule import Schedule, choose, input_source
from ..parameters.scratch import Lease
from ..simd import PANEL
from .operands import operands, packed_bias, packed_weights
from .steps import Steps
from .weights import Weights, no_items
from .workspace import gates_rows, own_forward

__all__ = [
    "NO_TOKENS",
    "Saved",
    "State",
    "Weights",
    "forward",
    "infer",
    "masks_of",
    "no_masks",
    "packed_bias",
    "packed_weights",
    "project",
    "team_failed",
]

NO_TOKENS = np.zeros(0, np.int64)

State = tuple[np.ndarray, np.ndarray]


def no_masks(w: Weights) -> Masks:
    """Arrays without items, for nothing."""
    none = no_items(w.w_hh.dtype)
    return Masks(none.reshape(-1), none, none, none, none)


def masks_of(
    w: Weights,
    keep: np.ndarray | None,
    drop: np.ndarray | None,
    zoneout: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Masks | None:
    """The masks of one direction, `drop` (B, size of h) with its padding; None for none at all."""
    given = (keep, drop, *zoneout)
    if all(mask is None for mask in given):
        return None
    none = no_masks(w)
    if drop is not None:
        drop = np.pad(drop, ((0, 0), (0, w.padded_h - w.size)))
    named = zip(Masks._fields, (keep, drop, *zoneout))
    return none._replace(**{name: mask for name, mask in named if mask is not None})


def _some(masks: Masks | None, rows: slice) -> Masks | None:
    """The same of some rows."""
    if masks is None:
        return None
    of_h, of_c = (one[rows] if len(one) > 1 else one for one in (masks.zone_h, masks.zone_c))
    return masks._replace(keep=masks.keep[rows], zone_h=of_h, zone_c=of_c)


class Saved(NamedTuple):
    """What one direction's backward pass needs, on loan."""

    steps: Steps
    x: np.ndarray  # (N, I), or of no columns for tokens
    tokens: np.ndarray  # (N,) or empty
    z: np.ndarray  # (P, ≥ N, PANEL·V), what the cell saved
    u: np.ndarray  # (N + B, padded H, or I more before it), x and h_prev
    c: np.ndarray  # (N + B, padded H), or of no columns
    own: Any  # a cell's own arrays
    reverse: bool
    masks: Masks | None

    @property
    def no_rows(self) -> np.ndarray:
        """An array of the right type for what is not there."""
        return no_items(self.z.dtype)


def project(
    x: np.ndarray, rows: int, inputs: int, w: np.ndarray, bias: np.ndarray, z: np.ndarray
) -> None:
    """``z[p, r] = bias[p] + x[r]·W[p]``: x (rows, inputs) into the first `rows` rows of z."""
    width = z.shape[2]
    nt = threads.threads_for(2.0 * rows * inputs * z.shape[0] * width)
    gemm(
        nt, x.reshape(-1), inputs, 1, 0, inputs, rows, w, bias,
        z.reshape(-1), z.shape[1] * width, width, z.shape[0] * width,
    )  # fmt: skip


class _Plan(NamedTuple):
    """How a layer runs over a sequence: schedule, and where the input's part of z comes from."""

    schedule: Schedule
    source: int
    inputs: int  # I, 0 for tokens
    h_column: int  # where h stands in a row of u


def _plan(w: Weights, steps: Steps, by_token: bool) -> _Plan:
    # The threads of the largest work, which are fewer in a fork.
    key = (steps.count, steps.rows, by_token, threads.threads_for(math.inf))
    plan = w.plans.get(key)
    if plan is None:
        count, batch = steps.count, steps.mean
        fused = 0 if by_token else w.inputs
        flops = w.step_flops(steps.rows, fused)
        width = w.panels * PANEL * w.lanes
        schedule = choose(
            count, batch, w.panels, (w.size + fused) * width * w.w_hh.dtype.itemsize, flops
        )
        rows = -(-batch * schedule.columns // schedule.nt)
        source = TOKENS if by_token else input_source(count, rows, flops)
        if w.cell.form == NORMALISED:
            source = FUSED  # but that each product is normalised on its own
        plan = _Plan(schedule, source, w.inputs, w.inputs * (source == FUSED))
        w.keep_plan(key, plan)
    return plan


def _run(
    w: Weights,
    plan: _Plan,
    steps: Steps,
    x: np.ndarray,
    tokens: np.ndarray,
    table: np.ndarray | None,
    save: bool,
    reverse: bool,
    z: np.ndarray,
    initial: State | None,
    u: np.ndarray,
    c: np.ndarray,
    y: np.ndarray,
    y_column: int,
    final: State,
    masks: Masks | None,
    own: Any,
) -> bool:
    """Run the time loop, after the projection where the plan has one (into z).

    False if the plan's team, where it has one, did not come together.
    """
    _, packed, bias, constants = operands(w)
    if plan.source == PROJECTED:
        project(x, steps.rows, plan.inputs, packed, bias, z)
    given = z if table is None else table
    stated = initial is not None
    h0, c0 = final if initial is None else initial
    nt, columns, team = plan.schedule
    met = w.cell.forward(
        nt, columns, team, plan.source, save, reverse, plan.inputs, steps.offsets,
        steps.shares(nt // columns), x, packed, bias, given, z, tokens, stated, h0, c0, u, c, y,
        y_column, final[0], final[1], w.hidden, w.padded_h, masks, own, constants,
    )  # fmt: skip
    if team and not met:
        team_failed(w)
    return met


def team_failed(w: Weights) -> None:
    """Count a team that did not come together, and forget the plans, which may be others then."""
    threads.refuse_teams()
    w.plans.clear()


def infer(
    w: Weights,
    steps: Steps,
    x: np.ndarray,
    initial: State | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    final: State,
    tokens: np.ndarray = NO_TOKENS,
    table: np.ndarray | None = None,
    masks: Masks | None = None,
) -> None:
    """Run forward over x (N, I) and keep nothing.

    Fills columns of y (N, …) and final's hn and cn, (B, H) each, but not for rows of length 0.
    Of a cell without c the second state of `initial` and `final` is not looked at.
    """
    plan = _plan(w, steps, table is not None)
    if plan.source != PROJECTED and w.cell.form == PLAIN:
        z = y.reshape(1, -1, 1)  # of the right type, and not touched
        _run(
            w, plan, steps, x, tokens, table, False, reverse, z, initial, y, y, y, y_column, final,
            masks, None,
        )  # fmt: skip
        return
    lease = Lease()
    own = own_forward(w, steps.batch, lease)
    if plan.source != PROJECTED:
        z = y.reshape(1, -1, 1)
        if w.cell.form in (RESET_BEFORE, NORMALISED):
            z = lease.array((w.panels, steps.batch, PANEL * w.lanes), x.dtype)
        _run(
            w, plan, steps, x, tokens, table, False, reverse, z, initial, y, y, y, y_column, final,
            masks, own,
        )  # fmt: skip
    else:
        # Long sequences in pieces, so that projected inputs stay in the cache.
        pieces = steps.pieces(tuning.INFER_ROWS)
        most = max(piece.rows for piece in pieces)
        z = lease.array((w.panels, most, PANEL * w.lanes), x.dtype)
        for piece in reversed(pieces) if reverse else pieces:
            some = piece.within(steps)
            met = _run(
                w, plan, piece, x[some], tokens, table, False, reverse, z, initial, y, y, y[some],
                y_column, final, _some(masks, some), own,
            )  # fmt: skip
            if plan.schedule.team and not met:
                plan = plan._replace(schedule=plan.schedule._replace(team=False))
            initial = final
    lease.release()


def forward(
    w: Weights,
    steps: Steps,
    x: np.ndarray,
    initial: State | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    final: State,
    lease: Lease,
    tokens: np.ndarray = NO_TOKENS,
    table: np.ndarray | None = None,
    masks: Masks | None = None,
) -> Saved:
    """As `infer`, and keep what `backward` needs in arrays of `lease`."""
    plan = _plan(w, steps, table is not None)
    rows, dtype = steps.rows + steps.batch, y.dtype
    u = lease.array((rows, plan.h_column + w.padded_h), dtype)
    dropped = masks is not None and len(masks.drop) > 0
    c = lease.array((rows, w.padded if w.cell.states == 2 or dropped else 0), dtype)
    z = lease.array((w.panels, gates_rows(steps.rows), PANEL * w.lanes), dtype)
    if masks is not None and len(masks.zone_c) and w.w_unit is not None:
        masks = masks._replace(fresh=lease.array((steps.rows, w.padded), dtype))
    own = own_forward(w, steps.rows, lease)
    _run(
        w, plan, steps, x, tokens, table, True, reverse, z, initial, u, c, y, y_column, final,
        masks, own,
    )  # fmt: skip
    return Saved(steps, x, tokens, z, u, c, own, reverse, masks)
