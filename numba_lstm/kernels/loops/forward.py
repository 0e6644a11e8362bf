"""The time loop forward: one for inference and training, any cell, either schedule, any input.

A step is, for each panel of hidden units and block of rows: start from the input's part of z, add
h_prev·W_hhᵀ on the microkernel, apply the cell's gates to the finished tile. The input's part is

- FUSED: bias + x_t·W_ihᵀ. x_t is copied beside h_prev, and both products are one, over K = I + H;
- PROJECTED: read from z, where `gemm` has put it for all steps at once (few rows);
- TOKENS: a row of the projected embedding table, for each token.

All three add the same terms in the same order, so they agree to the bit, and so do the schedules:
with `columns` = 1 each thread owns rows of the batch for the whole sequence and nothing is ever
waited for; else threads own panels as well, and wait for each other after each step, and after
each of the phases that a cell's step has, where one reads what all threads left in the one before:
as a team, or with a fork and join each time.

Sequences of different lengths come with the longest first. Step t then runs rows 0 … n_t, and the
rows of all steps stand one after another: those of step t from ``offsets[t]`` on, N in all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import kernel, named_driver, prange
from ...simd import PANEL, at, flush_denormals, lanes, restore_denormals
from ..blocks import first
from .arguments import ForwardArguments, ForwardRows, Share, Turn
from .forward_step import FUSED, PROJECTED, TOKENS
from .states import active, any_mask, copy
from .team import failed, gather, wait_for_all

__all__ = ["FUSED", "PROJECTED", "TOKENS", "forward_driver"]


@kernel
def _begin(has_initial, state, target, row, column, hidden, r0, r1):
    """Rows r0 … r1 of the state, or zeros, to rows row + r of target; zeros after it."""
    for r in range(r0, r1):
        if has_initial:
            copy(at(state, (r, 0)), at(target, (row + r, column)), hidden)
        for i in range(column + (hidden if has_initial else 0), target.shape[1]):
            target[row + r, i] = 0


@kernel
def _prepare(states, a, before, row0, n_prev, r0, r1):
    """Put x_t beside h_prev for rows r0 … r1, and the initial states where a row begins."""
    fresh = max(r0, min(r1, n_prev))
    _begin(a.has_initial, a.h0, a.u, before, a.h_column, a.h0.shape[1], fresh, r1)
    if a.gate_state.shape[1]:
        state = a.c0 if states == 2 else a.h0
        _begin(a.has_initial, state, a.gate_state, before, 0, state.shape[1], fresh, r1)
    if a.has_initial and (a.drop.shape[0] or a.keep.size):
        for r in range(fresh, r1):
            for i in range(a.h0.shape[1]):
                if a.drop.shape[0]:
                    a.u[before + r, a.h_column + i] *= a.drop[r, i]
                if a.keep.size and a.keep[row0 + r] == 0:
                    a.u[before + r, a.h_column + i] = 0
    if a.source == FUSED:
        for r in range(r0, r1):
            copy(at(a.x, (row0 + r, 0)), at(a.u, (before + r, 0)), a.x.shape[1])


@kernel
def _end(states, a, end, hn, cn, r0, r1):
    """hn and cn (B, H) = the last step's h and c, rows r0 … r1."""
    for r in range(r0, r1):
        copy(at(a.u, (end + r, a.h_column)), at(hn, (r, 0)), hn.shape[1])
        if states == 2:
            copy(at(a.gate_state, (end + r, 0)), at(cn, (r, 0)), cn.shape[1])


@kernel
def _rows_of_step(a, s, offsets, reverse, batch):
    """Where step s, counted as time runs, has its rows, and how many it runs.

    Saved states stand as x does; inference alternates between two places.
    """
    steps = offsets.size - 1
    t = steps - 1 - s if reverse else s
    t_next = t - 1 if reverse else t + 1
    t_prev = t + 1 if reverse else t - 1
    n_next = active(offsets, t_next)
    next_row = offsets[t_next] if s + 1 < steps else offsets[t]
    prev_row = offsets[t_prev] if s > 0 else 0
    row0, before, after, end = offsets[t], offsets[t], next_row, offsets[steps]
    z_row, workspace_row = row0, row0
    if not a.save:
        before, after, end = s % 2 * batch, (s + 1) % 2 * batch, 2 * batch
        workspace_row = 0
        if a.source != PROJECTED:
            z_row = 0
    rows = ForwardRows(
        row0, before, after, end, next_row, n_next, z_row, workspace_row, prev_row,
        active(offsets, t_prev),
    )  # fmt: skip
    return rows, active(offsets, t)


@kernel
def _last_rows(a, offsets, batch):
    """Where the last states of all rows stand."""
    return offsets[offsets.size - 1] if a.save else 2 * batch


def forward_driver(name: str, run: Any, slots: int, states: int, phases: int = 1) -> Any:
    """The time loop of one cell.

    Parameters
    ----------
    name : str
        Of the driver, and so of its entry in the compile cache.
    run : kernel (phase, a, workspace, s, share, tile)
        Runs a thread's share (`Share`) of one phase of a step.
    slots : int
        Vectors of z for each vector of units: 4, 2 or 1.
    states : int
        2 where there is a state besides h (an LSTM's c), 1 where h is all.
    phases : int
        How many phases a step has.
    """
    units = PANEL // slots

    @kernel
    def work(a, workspace, t, q, met, hn, cn, tile):
        """A thread's part of the steps and phases that `t` says."""
        batch, steps = hn.shape[0], t.offsets.size - 1
        rows, row, column = t.nt // t.columns, q // t.columns, q % t.columns
        panels, h_panels = a.w.shape[0], -(-(a.u.shape[1] - a.h_column) // (PANEL * lanes(tile)))
        p0, p1 = first(column, t.columns, panels), first(column + 1, t.columns, panels)
        h0, h1 = first(column, t.columns, h_panels), first(column + 1, t.columns, h_panels)
        n, waits = 0, t.nt
        for step in range(t.s0, t.s1):
            if step >= 0:
                s, n = _rows_of_step(a, step, t.offsets, t.reverse, batch)
                r0, r1 = first(row, rows, n), first(row + 1, rows, n)
                if t.alone:
                    r0, r1 = min(n, t.shares[row]), min(n, t.shares[row + 1])
                share = Share(r0, r1, p0, p1, h0, h1, column, t.columns)
                for phase in range(t.f0, t.f1):
                    run(phase, a, workspace, s, share, tile)
                    if t.team and phase < t.f1 - 1:
                        waits += t.nt
                        wait_for_all(met, waits)
            if t.f1 == phases and step + 1 < steps:
                s, n_next = _rows_of_step(a, step + 1, t.offsets, t.reverse, batch)
                r0, r1 = first(q, t.nt, n_next), first(q + 1, t.nt, n_next)
                if t.alone:
                    r0, r1 = min(n_next, t.shares[row]), min(n_next, t.shares[row + 1])
                _prepare(states, a, s.before, s.row0, n, r0, r1)
                if t.team:
                    waits += t.nt
                    wait_for_all(met, waits)
        if t.alone:
            _end(
                states, a, _last_rows(a, t.offsets, batch), hn, cn, t.shares[row], t.shares[row + 1]
            )

    @named_driver(name)
    def forward(
        nt, columns, team, source, save, reverse, inputs, offsets, shares, x, w, bias, input_part,
        z, tokens, has_initial, h0, c0, u, gate_state, y, y_column, hn, cn, hidden, h_width, masks,
        workspace, constants,
    ):  # fmt: skip
        steps, batch, v = offsets.size - 1, hn.shape[0], lanes(y)
        h_column = inputs if source == FUSED else 0
        if masks is None:
            keep, drop = np.empty(0, y.dtype), np.empty((0, 0), y.dtype)
            zone_h = zone_c = fresh = drop
        else:
            keep, drop, zone_h, zone_c, fresh = masks
        if not save:
            padded = w.shape[0] * units * v
            u = np.empty((3 * batch, h_column + h_width), y.dtype)
            gate_state = np.empty(
                (3 * batch, padded if states == 2 or drop.shape[0] else 0), y.dtype
            )
        masked = any_mask(keep, drop, zone_h, zone_c)
        a = ForwardArguments(
            source, save, inputs, hn.shape[1], hidden, h_column, x, w, bias, input_part, z, tokens,
            has_initial, h0, c0, u, gate_state, y, y_column, constants, masked, keep, drop, zone_h,
            zone_c, fresh,
        )  # fmt: skip
        tiles = np.empty((nt, 32 * PANEL * v), y.dtype)
        alone = columns == 1
        if not alone:
            s, n = _rows_of_step(a, 0, offsets, reverse, batch)
            _prepare(states, a, s.before, s.row0, 0, 0, n)
        counter, met_all = np.zeros(1, np.int64), team
        turns, turn = 1 if alone or team else steps * phases, 0
        # One `work` for all schedules: a second one would be compiled a second time.
        while turn < turns:
            for q in prange(nt):
                mode = flush_denormals()
                met = at(counter, (0,))
                s0, s1, f0 = turn // phases, turn // phases + 1, turn % phases
                f1 = f0 + 1
                if alone:  # step -1 only prepares the first one
                    s0, s1, f1 = -1, steps, phases
                elif team:
                    s0, s1, f1 = 0, steps if gather(met, nt) else 0, phases
                t = Turn(nt, columns, alone, team, reverse, offsets, shares, s0, s1, f0, f1)
                work(a, workspace, t, q, met, hn, cn, at(tiles, (q, 0)))
                restore_denormals(mode)
            turn += 1
            if team and failed(at(counter, (0,))):
                met_all = False
                team, turn, turns = False, 0, steps * phases
        if not alone:
            _end(states, a, _last_rows(a, offsets, batch), hn, cn, 0, batch)
        return met_all

    forward.__doc__ = DOCUMENTATION
    return forward


DOCUMENTATION = """Run a layer, one direction, over x.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the panels in `columns` parts.
    team : bool
        Whether the threads stay together for all steps, where they share panels; see `team`.
    source, save, reverse : int, bool, bool
        Where the input's part comes from; whether gates and states are kept for `backward`;
        whether time runs from the last step to the first.
    inputs : int
        I.
    offsets : (T + 1,) int64
        Step t runs rows 0 … n_t = offsets[t + 1] - offsets[t], never more than the step before.
    shares : (nt / columns + 1,) int64
        With `columns` = 1: which rows of the batch each thread owns.
    x : (N, I)
        Not read with PROJECTED and TOKENS.
    w : (P, I + H, PANEL·V)
        Packed W_ih above W_hh.
    bias : (P, PANEL·V)
    given : (P, …, PANEL·V)
        The input's part of z by row (PROJECTED; may be `z` itself) or by token (TOKENS).
    z : (P, ≥ N, PANEL·V)
        With `save` the gates on return. Of B rows without, for a cell of several phases.
    tokens : (N,) int64
    stated : bool
        Whether h0 and c0 count; zeros otherwise.
    h0, c0 : (B, H)
    u : (N + B, width), written with `save`, else not touched
        Rows of x_t beside h_{t-1} (FUSED) or of h_{t-1} alone: row offsets[t] + r is what step t
        read. The last h of row r in row N + r.
    c : (N + B, padded H), likewise
        c_{t-1}; of no columns where h is the whole state, unless there is `drop`: then h_{t-1}.
    y : (N, ≥ y_column + H), written
    hn, cn : (B, H), written; may be h0 and c0
        Not defined for rows of length 0.
    hidden, h_width : int
        H, which h may not have where it is projected, and the padded columns of h.
    masks : arguments.Masks or None
    own : named tuple or None
        Arrays that only this cell's phases know.
    constants : (vectors of units, …), or empty
        Of a cell with constants: those of each vector of units, by `pack.pack_constants`.

    Returns
    -------
    bool
        Whether there was a team.
    """
