"""The time loop forward: one kernel for inference and training, either schedule, any input.

A step is, for each panel of hidden units and block of rows: start from the input's part of z, add
h_prev·W_hhᵀ on the microkernel, apply the gates to the finished tile. The input's part is one of

- FUSED: bias + x_t·W_ihᵀ. x_t is copied beside h_prev, and both products are one, over K = I + H;
- PROJECTED: read from z, where `gemm` has put it for all steps at once (few rows);
- TOKENS: a row of the projected embedding table, for each token.

All three add the same terms in the same order, so they agree to the bit, and so do the schedules:
with `columns` = 1 each thread owns rows of the batch for the whole sequence and nothing is ever
waited for; else threads own panels as well, with one fork and join a step.
"""

from __future__ import annotations

import numpy as np

from ..jit import driver, kernel, prange
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
)
from .blocks import first, panels_at_once, row_block
from .gates import gates_forward

FUSED, PROJECTED, TOKENS = 0, 1, 2


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
def _copy_inputs(source, x, u, t, r0, r1):
    """Put x_t beside h_prev, for rows r0 … r1 of u (B, I + P·V)."""
    if source == FUSED:
        for r in range(r0, r1):
            _copy(at(x, (t, r, 0)), at(u, (r, 0)), x.shape[2])


@kernel
def _pre_activation(source, u, inputs, w, bias, z, tokens, row, r, m, p, count, tile):
    """z_t of m rows and `count` panels into the tile; `row` is the first one's number t·B + r."""
    width = PANEL * lanes(tile)
    padded, k = u.shape[1], w.shape[1]
    ldc = count * width
    if source == FUSED:
        gemm_tile(
            m, count * PANEL, at(u, (r, 0)), padded, 1, 0, k,
            at(w, (p, 0, 0)), k * width, at(bias, (p, 0)), 0, tile, ldc,
        )  # fmt: skip
        return
    for i in range(m):
        place = row + i if source == PROJECTED else tokens[row + i]
        for j in range(count):
            _copy(at(z, (p + j, place, 0)), shift(tile, (i * count + j) * width), width)
    gemm_tile(
        m, count * PANEL, at(u, (r, 0)), padded, 1, 0, k - inputs,
        at(w, (p, inputs, 0)), k * width, tile, ldc, tile, ldc,
    )  # fmt: skip


@kernel
def _step(
    source, save, inputs, hidden, w, bias, given, z, tokens, u, u_out, c_prev, c_out, y, y_column,
    t, p0, p1, r0, r1, tile,
):  # fmt: skip
    """One time step of panels p0 … p1 and rows r0 … r1; u and c are (B, …) slices."""
    v = lanes(tile)
    width = PANEL * v
    batch = u.shape[0]
    h_column = inputs if source == FUSED else 0
    p = p0
    while p < p1:
        count = panels_at_once(r1 - r0, p1 - p)
        r = r0
        while r < r1:
            m = row_block(r1 - r)
            row = t * batch + r
            _pre_activation(source, u, inputs, w, bias, given, tokens, row, r, m, p, count, tile)
            for i in range(m):
                for j in range(count):
                    unit = (p + j) * v
                    gi, gf, gg, go, h = gates_forward(
                        shift(tile, (i * count + j) * width),
                        at(c_prev, (r + i, unit)),
                        at(c_out, (r + i, unit)),
                        at(u_out, (r + i, h_column + unit)),
                    )
                    if save:
                        place = at(z, (p + j, row + i, 0))
                        store(place, 0, gi)
                        store(place, v, gf)
                        store(place, 2 * v, gg)
                        store(place, 3 * v, go)
                    if unit + v <= hidden:
                        store(at(y, (t, r + i, y_column + unit)), 0, h)
                    else:
                        store_n(at(y, (t, r + i, y_column + unit)), 0, h, hidden - unit)
            r += m
        p += count


@kernel
def _slots(s, t, save, reverse):
    """Slots of (previous, new) states at step s, which is time t.

    Saved states stand in order of time: slot t before and t + 1 after step t, the other way round
    in the reverse direction. Inference alternates between two.
    """
    if not save:
        return s % 2, (s + 1) % 2
    return (t + 1, t) if reverse else (t, t + 1)


@kernel
def _begin(given, state, target, column, hidden, r0, r1):
    """Rows r0 … r1 of target (B, …) from `column` on: the state, or zeros; zeros after it."""
    for r in range(r0, r1):
        if given:
            _copy(at(state, (r, 0)), at(target, (r, column)), hidden)
        for i in range(hidden if given else 0, target.shape[1] - column):
            target[r, column + i] = 0


@kernel
def _begin_all(given, h0, c0, u, c, h_column, hidden, r0, r1):
    """h_prev and c_prev of the first step, rows r0 … r1."""
    _begin(given, h0, u, h_column, hidden, r0, r1)
    _begin(given, c0, c, 0, hidden, r0, r1)


@kernel
def _end_all(u, c, h_column, hn, cn, r0, r1):
    """hn and cn (B, H) = the last step's h and c, rows r0 … r1."""
    for r in range(r0, r1):
        _copy(at(u, (r, h_column)), at(hn, (r, 0)), hn.shape[1])
        _copy(at(c, (r, 0)), at(cn, (r, 0)), cn.shape[1])


@driver
def lstm_forward(
    nt, columns, source, save, reverse, inputs, x, w, bias, given, z, tokens, stated, h0, c0,
    u, c, y, y_column, hn, cn,
):  # fmt: skip
    """Run a layer, one direction, over x.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the panels in `columns` parts.
    source, save, reverse : int, bool, bool
        Where the input's part comes from; whether gates and states are kept for `backward`;
        whether time runs from the last step to the first.
    inputs : int
        I.
    x : (T, B, I)
        With PROJECTED and TOKENS only its first two sizes count.
    w : (P, I + H, PANEL·V)
        Packed W_ih above W_hh.
    bias : (P, PANEL·V)
    given : (P, …, PANEL·V)
        The input's part of z by row (PROJECTED; may be `z` itself) or by token (TOKENS).
    z : (P, ≥ T·B, PANEL·V)
        With `save` the gates on return.
    tokens : (T·B,) int64
    stated : bool
        Whether h0 and c0 count; zeros otherwise.
    h0, c0 : (B, H)
    u : (T + 1, B, width), written with `save`, else not touched
        Rows of x_t beside h_{t-1} (FUSED, width I + P·V) or of h_{t-1} alone (width P·V), in order
        of time: step t reads row t and writes row t + 1, in reverse reads t + 1 and writes t.
    c : (T + 1, B, P·V), likewise
    y : (T, B, ≥ y_column + H), written
    hn, cn : (B, H), written; may be h0 and c0
    """
    steps, batch, hidden = x.shape[0], x.shape[1], hn.shape[1]
    panels, v = w.shape[0], lanes(y)
    h_column = inputs if source == FUSED else 0
    if not save:
        u = np.empty((2, batch, h_column + panels * v), y.dtype)
        c = np.empty((2, batch, panels * v), y.dtype)
    tiles = np.empty((nt, 32 * PANEL * v), y.dtype)
    rows = nt // columns
    start, _ = _slots(0, steps - 1 if reverse else 0, save, reverse)
    _, stop = _slots(steps - 1, 0 if reverse else steps - 1, save, reverse)
    alone = columns == 1
    if not alone:
        _begin_all(stated, h0, c0, u[start], c[start], h_column, hidden, 0, batch)
        _copy_inputs(source, x, u[start], steps - 1 if reverse else 0, 0, batch)
    # One call of `_step` for both schedules: a second one would be compiled a second time.
    turns = 1 if alone else steps
    for turn in range(turns):
        for q in prange(nt):
            state = flush_denormals()
            row, column = q // columns, q % columns
            r0, r1 = first(row, rows, batch), first(row + 1, rows, batch)
            p0, p1 = first(column, columns, panels), first(column + 1, columns, panels)
            x0, x1 = first(q, nt, batch), first(q + 1, nt, batch)
            if alone:
                _begin_all(stated, h0, c0, u[start], c[start], h_column, hidden, r0, r1)
                _copy_inputs(source, x, u[start], steps - 1 if reverse else 0, r0, r1)
            for s in range(turn, steps if alone else turn + 1):
                t = steps - 1 - s if reverse else s
                before, after = _slots(s, t, save, reverse)
                _step(
                    source, save, inputs, hidden, w, bias, given, z, tokens, u[before], u[after],
                    c[before], c[after], y, y_column, t, p0, p1, r0, r1, at(tiles, (q, 0)),
                )  # fmt: skip
                if s + 1 < steps:
                    t_next = t - 1 if reverse else t + 1
                    _copy_inputs(source, x, u[after], t_next, x0, x1)
            if alone:
                _end_all(u[stop], c[stop], h_column, hn, cn, r0, r1)
            restore_denormals(state)
    if not alone:
        _end_all(u[stop], c[stop], h_column, hn, cn, 0, batch)
