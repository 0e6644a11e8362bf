"""The time loop forward: one for inference and training, any cell, either schedule, any input.

A step is, for each panel of hidden units and block of rows: start from the input's part of z, add
h_prev·W_hhᵀ on the microkernel, apply the cell's gates to the finished tile. The input's part is

- FUSED: bias + x_t·W_ihᵀ. x_t is copied beside h_prev, and both products are one, over K = I + H;
- PROJECTED: read from z, where `gemm` has put it for all steps at once (few rows);
- TOKENS: a row of the projected embedding table, for each token.

All three add the same terms in the same order, so they agree to the bit, and so do the schedules:
with `columns` = 1 each thread owns rows of the batch for the whole sequence and nothing is ever
waited for; else threads own panels as well, with one fork and join a step.

Sequences of different lengths come with the longest first. Step t then runs rows 0 … n_t, and the
rows of all steps stand one after another: those of step t from ``offsets[t]`` on, N in all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import kernel, named_driver, prange
from ..simd import (
    PANEL,
    at,
    flush_denormals,
    gemm_tile,
    lanes,
    load,
    load_n,
    restore_denormals,
    shift,
    store,
    store_n,
    zeros_like,
)
from .blocks import first, panels_at_once, row_block

FUSED, PROJECTED, TOKENS = 0, 1, 2


@kernel
def active(offsets, t):
    """n_t: how many rows step t runs; none before the first and after the last step."""
    return offsets[t + 1] - offsets[t] if 0 <= t < offsets.size - 1 else 0


@kernel
def kept(x, keep, row):
    """The vector x, or zeros where a reset stands before `row`: not even NaN passes it."""
    if keep[row] == 0:
        return zeros_like(x)
    return x


@kernel
def _copy(source, target, n):
    """Copy n items, a vector at a time."""
    v = lanes(source)
    whole = n // v * v
    for j in range(0, whole, v):
        store(target, j, load(source, j))
    if whole < n:
        store_n(target, whole, load_n(source, whole, n - whole), n - whole)


@kernel
def _pre_activation(
    windows, source, u, place, h_column, size, inputs, w, bias, z, tokens, row, m, p, count, tile
):
    """z_t of m rows and `count` panels into the tile.

    `place` is the first row's number in u, and `row` in x, z and tokens. The inputs reach the
    vectors x_first … x_first + x_count of a panel, the state those from h_first on.
    """
    x_count, h_first, h_count = windows
    v = lanes(tile)
    width = PANEL * v
    padded, k = u.shape[1], w.shape[1]
    ldc = count * width
    if source == FUSED and x_count == PANEL:
        gemm_tile(
            m, count * PANEL, at(u, (place, 0)), padded, 1, 0, k,
            at(w, (p, 0, 0)), k * width, at(bias, (p, 0)), 0, tile, ldc,
        )  # fmt: skip
        return
    if source == FUSED:
        for i in range(m):
            rest = x_count * v
            _copy(at(bias, (p, rest)), shift(tile, i * width + rest), width - rest)
        gemm_tile(
            m, x_count, at(u, (place, 0)), padded, 1, 0, inputs,
            at(w, (p, 0, 0)), k * width, at(bias, (p, 0)), 0, tile, ldc,
        )  # fmt: skip
    else:
        for i in range(m):
            given = row + i if source == PROJECTED else tokens[row + i]
            for j in range(count):
                _copy(at(z, (p + j, given, 0)), shift(tile, (i * count + j) * width), width)
    target = shift(tile, h_first * v)
    gemm_tile(
        m, count * h_count, at(u, (place, h_column)), padded, 1, 0, size,
        at(w, (p, inputs, h_first * v)), k * width, target, ldc, target, ldc,
    )  # fmt: skip


@kernel
def _store_h(
    h, y, row, y_column, size, u, out, h_column, unit, goes_on, next_row, r, masked, keep, drop
):  # fmt: skip
    """h_t of row r to y, and to u as the next step reads it, or as it is where there is none."""
    if unit + lanes(y) <= size:
        store(at(y, (row, y_column + unit)), 0, h)
    else:
        store_n(at(y, (row, y_column + unit)), 0, h, max(0, size - unit))
    if masked and goes_on:
        if drop.shape[0]:
            h = h * load(at(drop, (r, unit)), 0)
        if keep.size:
            h = kept(h, keep, next_row)
    store(at(u, (out, h_column + unit)), 0, h)


def _step_kernel(
    gates: Any, slots: int, states: int, windows: tuple, projects: bool, constants: bool
) -> Any:
    """One time step of one cell; see `forward_driver`."""

    @kernel
    def step(
        source, save, inputs, size, w, bias, given, z, tokens,
        u, c, before, after, end, y, y_column, y_row, row0, next_row0, n_next, p0, p1, r0, r1, tile,
        masked, keep, drop, extra,
    ):  # fmt: skip
        """One time step of panels p0 … p1 and rows r0 … r1; row r's output is row y_row + r of y.

        Row r finds its states in row ``before + r`` of u and c and leaves the new ones in
        ``after + r`` if it has a next step (r < n_next), else in ``end + r``. Where h is yet to be
        projected, y is what `_project` reads, and u is left to that.
        """
        v = lanes(tile)
        width = PANEL * v
        units = PANEL // slots
        h_column = inputs if source == FUSED else 0
        p = p0
        while p < p1:
            count = panels_at_once(r1 - r0, p1 - p) if windows[0] == PANEL else 1
            r = r0
            while r < r1:
                m = row_block(r1 - r)
                row = row0 + r
                _pre_activation(
                    windows, source, u, before + r, h_column, size, inputs, w, bias, given, tokens,
                    row, m, p, count, tile,
                )  # fmt: skip
                for i in range(m):
                    out = (after if r + i < n_next else end) + r + i
                    for j in range(count * units):
                        unit = (p * units + j) * v
                        if states == 2 or c.shape[1]:
                            prev = load(at(c, (before + r + i, unit)), 0)
                            if masked and keep.size:
                                prev = kept(prev, keep, row + i)
                        else:
                            prev = load(at(u, (before + r + i, h_column + unit)), 0)
                        part = shift(tile, i * count * width + j * slots * v)
                        place = at(z, (p + j // units, row + i, j % units * slots * v))
                        if constants:
                            state, h = gates(part, prev, save, place, at(extra, (p * units + j, 0)))
                        else:
                            state, h = gates(part, prev, save, place)
                        if states == 2 or c.shape[1]:
                            store(at(c, (out, unit)), 0, state)
                        if projects:
                            store(at(y, (y_row + r + i, unit)), 0, h)
                        else:
                            _store_h(
                                h, y, y_row + r + i, y_column, size, u, out, h_column, unit,
                                r + i < n_next, next_row0 + r + i, r + i, masked, keep, drop,
                            )  # fmt: skip
                r += m
            p += count

    return step


@kernel
def _project(
    m, m_row, w_hr, zeros, hidden, size, u, h_column, after, end, y, y_column, row0, next_row0,
    n_next, p0, p1, r0, r1, tile, masked, keep, drop,
):  # fmt: skip
    """h_t = m·W_hrᵀ of panels p0 … p1 of h and rows r0 … r1; row r of m is ``m_row + r``."""
    v = lanes(tile)
    width = PANEL * v
    for p in range(p0, p1):
        r = r0
        while r < r1:
            rows = row_block(r1 - r)
            gemm_tile(
                rows, PANEL, at(m, (m_row + r, 0)), m.shape[1], 1, 0, hidden,
                at(w_hr, (p, 0, 0)), hidden * width, at(zeros, (0,)), 0, tile, width,
            )  # fmt: skip
            for i in range(rows):
                out = (after if r + i < n_next else end) + r + i
                for j in range(PANEL):
                    _store_h(
                        load(tile, i * width + j * v), y, row0 + r + i, y_column, size, u, out,
                        h_column, p * width + j * v, r + i < n_next, next_row0 + r + i, r + i,
                        masked, keep, drop,
                    )  # fmt: skip
            r += rows


@kernel
def _begin(given, state, target, place, column, hidden, r0, r1):
    """Rows r0 … r1 of the state, or zeros, to rows place + r of target; zeros after it."""
    for r in range(r0, r1):
        if given:
            _copy(at(state, (r, 0)), at(target, (place + r, column)), hidden)
        for i in range(column + (hidden if given else 0), target.shape[1]):
            target[place + r, i] = 0


@kernel
def _prepare(
    source, stated, h0, c0, x, u, c, before, row0, h_column, states, n_prev, r0, r1, keep, drop
):  # fmt: skip
    """Put x_t beside h_prev for rows r0 … r1, and the initial states where a row begins."""
    fresh = max(r0, min(r1, n_prev))
    _begin(stated, h0, u, before, h_column, h0.shape[1], fresh, r1)
    if c.shape[1]:
        state = c0 if states == 2 else h0
        _begin(stated, state, c, before, 0, state.shape[1], fresh, r1)
    if stated and (drop.shape[0] or keep.size):
        for r in range(fresh, r1):
            for i in range(h0.shape[1]):
                if drop.shape[0]:
                    u[before + r, h_column + i] *= drop[r, i]
                if keep.size and keep[row0 + r] == 0:
                    u[before + r, h_column + i] = 0
    if source == FUSED:
        for r in range(r0, r1):
            _copy(at(x, (row0 + r, 0)), at(u, (before + r, 0)), x.shape[1])


@kernel
def _end(u, c, end, h_column, states, hn, cn, r0, r1):
    """hn and cn (B, H) = the last step's h and c, rows r0 … r1."""
    for r in range(r0, r1):
        _copy(at(u, (end + r, h_column)), at(hn, (r, 0)), hn.shape[1])
        if states == 2:
            _copy(at(c, (end + r, 0)), at(cn, (r, 0)), cn.shape[1])


@kernel
def _rows_of(s, steps, offsets, save, reverse, batch):
    """Where step s, counted as time runs, has its states, and where it leaves those of the next.

    Returns its time, the first rows of its states and of the next step's, and the first row of x
    and z of the next step. Saved states stand as x does; inference alternates between two places.
    """
    t = steps - 1 - s if reverse else s
    t_next = t - 1 if reverse else t + 1
    if s + 1 == steps:
        t_next = t
    if save:
        return t, offsets[t], offsets[t_next], offsets[t_next]
    return t, s % 2 * batch, (s + 1) % 2 * batch, offsets[t_next]


def forward_driver(
    name: str,
    gates: Any,
    slots: int,
    states: int,
    windows: tuple,
    projects: bool = False,
    constants: bool = False,
) -> Any:
    """The time loop of one cell.

    Parameters
    ----------
    name : str
        Of the driver, and so of its entry in the compile cache.
    gates : kernel (z, prev, save, place) -> state, h
        Reads a unit's `slots` vectors of z from the tile; prev, state and h are vectors. With
        `save` it leaves at `place` what its backward needs.
    slots : int
        Vectors of z for each vector of units: 4, 2 or 1.
    states : int
        2 where there is a state besides h (an LSTM's c), 1 where h is all.
    windows : (x_count, h_first, h_count)
        Which of a panel's PANEL vectors the inputs reach (the first x_count) and which the state.
    projects : bool
        Whether h is what the gates give times W_hrᵀ.
    constants : bool
        Whether the gates take one more argument: where the constants of their units stand.
    """
    phases = 2 if projects else 1
    step = _step_kernel(gates, slots, states, windows, projects, constants)

    @named_driver(name)
    def forward(
        nt, columns, source, save, reverse, inputs, offsets, shares, x, w, bias, given, z, tokens,
        stated, h0, c0, u, c, y, y_column, hn, cn, keep, drop, w_hr, m, extra,
    ):  # fmt: skip
        steps, batch, size = offsets.size - 1, hn.shape[0], hn.shape[1]
        panels, v = w.shape[0], lanes(y)
        padded = panels * (PANEL // slots) * v
        hidden = w_hr.shape[1] if projects else size
        h_panels = w_hr.shape[0]
        zeros = np.zeros(PANEL * v, y.dtype)
        h_column = inputs if source == FUSED else 0
        end = offsets[steps] if save else 2 * batch
        if not save:
            h_width = h_panels * PANEL * v if projects else padded
            u = np.empty((3 * batch, h_column + h_width), y.dtype)
            if projects:
                m = np.empty((batch, padded), y.dtype)
            c = np.empty((3 * batch, padded if states == 2 or drop.shape[0] else 0), y.dtype)
        tiles = np.empty((nt, 32 * PANEL * v), y.dtype)
        masked = keep.size > 0 or drop.shape[0] > 0
        rows = nt // columns
        alone = columns == 1
        if not alone:
            t, before, _, _ = _rows_of(0, steps, offsets, save, reverse, batch)
            _prepare(
                source, stated, h0, c0, x, u, c, before, offsets[t], h_column, states, 0, 0,
                active(offsets, t), keep, drop,
            )  # fmt: skip
        # One call of `step` for both schedules: a second one would be compiled a second time.
        turns = 1 if alone else steps * phases
        for turn in range(turns):
            for q in prange(nt):
                state = flush_denormals()
                row, column = q // columns, q % columns
                p0, p1 = first(column, columns, panels), first(column + 1, columns, panels)
                h0_, h1_ = first(column, columns, h_panels), first(column + 1, columns, h_panels)
                last_phase = alone or turn % phases == phases - 1
                # Step -1 only prepares the first one.
                s0, s1 = (-1, steps) if alone else (turn // phases, turn // phases + 1)
                for s in range(s0, s1):
                    n = 0
                    if s >= 0:
                        t, before, after, next_row = _rows_of(
                            s, steps, offsets, save, reverse, batch
                        )
                        n = active(offsets, t)
                        r0, r1 = first(row, rows, n), first(row + 1, rows, n)
                        if alone:
                            r0, r1 = min(n, shares[row]), min(n, shares[row + 1])
                        n_next = 0
                        if s + 1 < steps:
                            n_next = active(offsets, t - 1 if reverse else t + 1)
                        row0 = offsets[t]
                        m_row = row0 if save or not projects else 0
                        target = m if projects else y
                        if alone or turn % phases == 0:
                            step(
                                source, save, inputs, size,
                                w, bias, given, z, tokens, u, c, before, after, end,
                                target, y_column, m_row, row0, next_row, n_next, p0,
                                p1, r0, r1, at(tiles, (q, 0)), masked, keep, drop, extra,
                            )  # fmt: skip
                        if projects and last_phase:
                            _project(
                                m, m_row, w_hr, zeros, hidden, size, u, h_column, after, end, y,
                                y_column, row0, next_row, n_next, h0_, h1_, r0, r1,
                                at(tiles, (q, 0)), masked, keep, drop,
                            )  # fmt: skip
                    if last_phase and s + 1 < steps:
                        t, before, _, _ = _rows_of(s + 1, steps, offsets, save, reverse, batch)
                        n_next = active(offsets, t)
                        r0, r1 = first(q, nt, n_next), first(q + 1, nt, n_next)
                        if alone:
                            r0, r1 = min(n_next, shares[row]), min(n_next, shares[row + 1])
                        _prepare(
                            source, stated, h0, c0, x, u, c, before, offsets[t], h_column, states,
                            n, r0, r1, keep, drop,
                        )  # fmt: skip
                if alone:
                    _end(u, c, end, h_column, states, hn, cn, shares[row], shares[row + 1])
                restore_denormals(state)
        if not alone:
            _end(u, c, end, h_column, states, hn, cn, 0, batch)

    forward.__doc__ = DOCUMENTATION
    return forward


DOCUMENTATION = """Run a layer, one direction, over x.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the panels in `columns` parts.
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
        With `save` the gates on return.
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
    keep : (N,) or empty
        0 where a row's states are set to zero before the step, else 1.
    drop : (B, padded H) or of no rows
        Factors of h_{t-1} in the recurrent product, the same at every step.
    w_hr : (panels of h, H, PANEL·V), or empty
        Of a cell that projects: packed W_hr.
    m : (N, padded H), written with `save` by a cell that projects
        What the gates gave, before the projection.
    extra : (vectors of units, …), or empty
        Of a cell with constants: those of each vector of units, by `pack.pack_constants`.
    """
