"""The time loop forward: one for inference and training, any cell, either schedule, any input.

In NumPy, for a plain cell (see `reference.recurrent.recurrent_forward`):

    for t in range(T):
        z = x[t] @ W_ih.T + b + h @ W_hh.T
        state, h = gates(z, state)
        y[t] = h

A step does this for a panel of hidden units and a block of rows at a time: it puts the input's part
of z into a tile, adds h_{t-1}·W_hhᵀ with the microkernel, and applies the gates to the tile. The
input's part, x[t] @ W_ih.T + b, comes from one of three sources, each of which is the fastest for
some sizes:

- FUSED: computed in the step. x_t is copied beside h_{t-1}, and both products are one product over
  K = I + S. The plain line: ``z = np.hstack([x[t], h]) @ np.hstack([W_ih, W_hh]).T + b``.
- PROJECTED: read from z, where one `gemm` has put it for all steps (few rows). The plain line:
  ``z = x @ W_ih.T + b`` before the loop.
- TOKENS: read from the projected embedding table. The plain line: ``z = table[tokens[t]]``, with
  ``table = embedding @ W_ih.T + b``.

All three add the same terms in the same order, so they give the same bits. So do all schedules.
With `columns` = 1 each thread has rows of the batch for the whole sequence and waits for nobody.
Otherwise threads share panels as well. Then they wait for each other after each phase of a step,
because the next phase reads what all threads wrote; see `turns`.

Sequences of different lengths come with the longest first. Step t then runs rows 0 … n_t, and the
rows of all steps stand one after another: those of step t from ``offsets[t]`` on, N in all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import kernel, named_driver
from ...simd import PANEL, at, lanes
from ..blocks import TILE, first, spread_columns
from ..scratch import APART, scratch_rows
from .arguments import ForwardArguments, ForwardRows, Share
from .forward_step import FUSED, PROJECTED, TOKENS
from .states import any_mask, copy, rows_in_step
from .team import fetch_rows, wait_for_all
from .turns import finer_shares, taking_turns

__all__ = ["FUSED", "PROJECTED", "TOKENS", "forward_driver"]


@kernel
def _begin(has_initial, state, target, row, column, hidden, r0, r1):
    """``target[row + r, column:] = state[r]`` for r0 ≤ r < r1, zeros behind it; or zeros alone."""
    for r in range(r0, r1):
        if has_initial:
            copy(at(state, (r, 0)), at(target, (row + r, column)), hidden)
        for i in range(column + (hidden if has_initial else 0), target.shape[1]):
            target[row + r, i] = 0


@kernel
def _prepare(states, a, before, row0, n_prev, r0, r1):
    """Before a step: h0 and c0 of the rows that begin with it, and with FUSED x_t of all rows.

    Of rows r0 … r1, those from n_prev on begin: the step before did not have them.
    """
    begins = max(r0, min(r1, n_prev))
    _begin(a.has_initial, a.h0, a.u, before, a.h_column, a.h0.shape[1], begins, r1)
    if a.gate_state.shape[1]:
        state = a.c0 if states == 2 else a.h0
        _begin(a.has_initial, state, a.gate_state, before, np.int64(0), state.shape[1], begins, r1)
    if a.has_initial and (a.drop.shape[0] or a.keep.size):
        for r in range(begins, r1):
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
    """hn (B, S) and cn (B, H) = the last states of rows r0 … r1, which stand from row `end` on."""
    for r in range(r0, r1):
        copy(at(a.u, (end + r, a.h_column)), at(hn, (r, 0)), hn.shape[1])
        if states == 2:
            copy(at(a.gate_state, (end + r, 0)), at(cn, (r, 0)), cn.shape[1])


@kernel
def _rows_of_step(a, s, offsets, reverse, block, skip):
    """Where the rows of step s stand, and how many there are; s counts steps as they run.

    With `save` each step's states have rows of their own, in the order of x. In inference two
    blocks of `block` rows take turns, and a third one holds the last states; the first `skip` rows
    of each are not used.
    """
    steps = offsets.size - 1
    t = steps - 1 - s if reverse else s
    t_next = t - 1 if reverse else t + 1
    t_prev = t + 1 if reverse else t - 1
    n_next = rows_in_step(offsets, t_next)
    next_row = offsets[t_next] if s + 1 < steps else offsets[t]
    prev_row = offsets[t_prev] if s > 0 else 0
    row0, before, after, end = offsets[t], offsets[t], next_row, offsets[steps]
    z_row, workspace_row = row0, row0
    if not a.save:
        before, after, end = s % 2 * block + skip, (s + 1) % 2 * block + skip, 2 * block + skip
        workspace_row = 0
        if a.source != PROJECTED:
            z_row = 0
    rows = ForwardRows(
        row0, before, after, end, next_row, n_next, z_row, workspace_row, prev_row,
        rows_in_step(offsets, t_prev),
    )  # fmt: skip
    return rows, rows_in_step(offsets, t)


@kernel
def _last_rows(a, offsets, block, skip):
    """Where the last states of all rows stand, in u and gate_state."""
    return offsets[offsets.size - 1] if a.save else 2 * block + skip


def _thread_part(run: Any, states: int, phases: int) -> Any:
    """A kernel: what thread q runs of a turn, step after step."""

    @kernel
    def thread_part(given, t, q, counter, tile):
        a, workspace, hn, cn, gap = given
        batch, steps = hn.shape[0], t.offsets.size - 1
        rows, row, column = t.nt // t.columns, q // t.columns, q % t.columns
        panels, h_panels = a.bias.shape[0], -(-a.h_width // (PANEL * lanes(tile)))
        p0, p1 = first(column, t.columns, panels), first(column + 1, t.columns, panels)
        h0, h1 = first(column, t.columns, h_panels), first(column + 1, t.columns, h_panels)
        n, waits = 0, t.nt
        block, skip = batch + (rows - 1) * gap, row * gap
        for step in range(t.s0, t.s1):
            if step >= 0:
                s, n = _rows_of_step(a, step, t.offsets, t.reverse, block, skip)
                r0, r1 = first(row, rows, n), first(row + 1, rows, n)
                if t.alone:
                    r0, r1 = min(n, t.shares[row]), min(n, t.shares[row + 1])
                share = Share(r0, r1, p0, p1, h0, h1, column, t.columns)
                for phase in range(t.f0, t.f1):
                    run(phase, a, workspace, s, share, tile)
                    if t.team and phase < t.f1 - 1:
                        waits += t.nt
                        wait_for_all(counter, waits)
            if t.f1 == phases and step + 1 < steps:
                s, n_next = _rows_of_step(a, step + 1, t.offsets, t.reverse, block, skip)
                r0, r1 = first(q, t.nt, n_next), first(q + 1, t.nt, n_next)
                if t.alone:
                    r0, r1 = min(n_next, t.shares[row]), min(n_next, t.shares[row + 1])
                _prepare(states, a, s.before, s.row0, n, r0, r1)
                if t.team:
                    waits += t.nt
                    wait_for_all(counter, waits)
                    if rows == 1:
                        u, items = at(a.u, (s.before, 0)), a.h_column + a.size
                        fetch_rows(u, n_next, a.u.shape[1], 1, 0, items, a.u.itemsize)
        if t.alone:
            end = _last_rows(a, t.offsets, block, skip)
            _end(states, a, end, hn, cn, t.shares[row], t.shares[row + 1])

    return thread_part


def forward_driver(name: str, run: Any, slots: int, states: int, phases: int = 1) -> Any:
    """Make the time loop of one cell.

    Parameters
    ----------
    name : str
        The driver's, under which the compile cache keeps it.
    run : kernel (phase, a, workspace, s, share, tile)
        Runs one phase of a step for one thread: a `ForwardArguments`, the cell's workspace, where
        the step's rows stand (`ForwardRows`), the thread's part (`Share`), and a tile of
        scratch, of TILE panels. What a phase writes all threads may read in the next one.
    slots : int
        Vectors of z for each vector of units: 4, 2 or 1.
    states : int
        2 where there is a state besides h (an LSTM's c), 1 where h is all.
    phases : int
        How many phases a step has.
    """
    units = PANEL // slots
    take_turns = taking_turns(_thread_part(run, states, phases), phases)

    @named_driver(name)
    def forward(
        crew, nt, columns, team, source, save, reverse, inputs, offsets, shares, x, w, bias,
        input_part, z, tokens, has_initial, h0, c0, u, gate_state, y, y_column, hn, cn, hidden,
        h_width, masks, workspace, constants,
    ):  # fmt: skip
        """Run one direction of a layer over x.

        Letters and dtypes are those of `arguments`.

        Parameters
        ----------
        nt : int
            Threads.
        columns : int
            Threads share the batch in nt / columns parts and the panels in `columns` parts.
        team : bool
            With `columns` > 1: whether the threads stay together for all steps; see `team`.
        source : int
            FUSED, PROJECTED or TOKENS: where the input's part of z comes from.
        save : bool
            Whether what `backward` needs is kept in z, u and gate_state.
        reverse : bool
            Whether time runs from the last step to the first.
        inputs : int
            I.
        offsets : (T + 1,) int64
            Step t runs n_t = offsets[t + 1] - offsets[t] rows, never more than the step before.
        shares : (nt / columns + 1,) int64
            With `columns` = 1: rows shares[q] … shares[q + 1] of the batch are thread q's.
        x : (N, I)
            Not read with PROJECTED and TOKENS.
        w : (strips, I + S, strip·V)
            W_ih above W_hh, packed by `pack.pack_rows`.
        bias : (P, PANEL·V)
            b_ih + b_hh in the same order.
        input_part : (P, ≥ N or vocabulary, PANEL·V)
            x·W_ihᵀ + bias by row (PROJECTED; may be z itself) or by token (TOKENS). Not read with
            FUSED.
        z : (P, ≥ N, PANEL·V)
            With `save`, on return, what the gates left for `backward`. Without, scratch: of B rows
            for a cell of several phases, else not touched.
        tokens : (N,) int64
            With TOKENS: which row of `input_part` each row reads.
        has_initial : bool
            Whether h0 and c0 are read; they are zero otherwise.
        h0, c0 : (B, S) and (B, H)
        u : (N + B, width), written with `save`, else not touched
            What the products read: row offsets[t] + r holds x_t, with FUSED, and h_{t-1}, in padded
            S columns. Row N + r holds the last h of row r of the batch.
        gate_state : (N + B, padded H), as u
            What the gates read beside z: c_{t-1}. Of no columns where that is h_{t-1}, which stands
            in u, but where `drop` scales it there: then h_{t-1} as it was.
        y : (N, ≥ y_column + S), written from `y_column` on
            h_t.
        y_column : int
        hn, cn : (B, S) and (B, H), written; may be h0 and c0
            The last states; of rows of length 0 not defined.
        hidden : int
            H.
        h_width : int
            Padded S.
        masks : arguments.Masks or None
        workspace : arguments.Second, arguments.Norm or None
            Arrays of a cell whose step has several phases.
        constants : (vectors of units, numbers·V), or of no rows
            What the gates read of their units beside z, by `pack.pack_constants`.

        Returns
        -------
        bool
            Whether a team ran. False where `team` was False or did not come together.
        """
        steps, batch, v = offsets.size - 1, hn.shape[0], lanes(y)
        cut, shares = finer_shares(crew, nt, columns, shares)
        h_column = inputs if source == FUSED else 0
        if masks is None:
            # Empty views: to make empty arrays takes 50 ns more.
            zone_h = zone_c = fresh = drop = y[:0]
            keep = drop.reshape(-1)
        else:
            keep, drop, zone_h, zone_c, fresh = masks
        gap = 0  # rows of scratch between those of one thread and the next
        if not save:
            padded = bias.shape[0] * units * v if states == 2 or drop.shape[0] else 0
            width = spread_columns(h_column + h_width, y.itemsize)
            state_width = spread_columns(padded, y.itemsize)
            if columns == 1:
                gap = APART // min(width, state_width or width) + 1
            block = batch + (nt * cut - 1) * gap
            u = scratch_rows(3 * block, width, y)
            gate_state = scratch_rows(3 * block, state_width, y)
        masked = any_mask(keep, drop, zone_h, zone_c)
        a = ForwardArguments(
            source, save, inputs, hn.shape[1], hidden, h_column, h_width, x, w, bias, input_part, z,
            tokens, has_initial, h0, c0, u, gate_state, y, y_column, constants, masked, keep, drop,
            zone_h, zone_c, fresh,
        )  # fmt: skip
        tiles, counters = scratch_rows(nt * cut, TILE * PANEL * v + APART, y), np.zeros(2, np.int64)
        alone = columns == 1
        zero = np.int64(0)  # kernels that get a plain 0 are compiled for it once more
        begin = -1 if alone else 0  # threads that are alone prepare their rows themselves
        if not alone:
            s, n = _rows_of_step(a, zero, offsets, reverse, batch, zero)
            _prepare(states, a, s.before, s.row0, zero, zero, n)
        met = take_turns(
            crew, nt, cut, columns, team, reverse, offsets, shares, begin, steps, counters, tiles,
            (a, workspace, hn, cn, gap),
        )  # fmt: skip
        if not alone:
            _end(states, a, _last_rows(a, offsets, batch, zero), hn, cn, zero, batch)
        return met

    return forward
