"""The time loop forward: one kernel for inference and training, either schedule, any input.

A step is, for each panel of hidden units and block of rows: start from the input's part of z, add
h_prev·W_hhᵀ on the microkernel, apply the gates to the finished tile. The input's part is one of

- FUSED: bias + x_t·W_ihᵀ, multiplied right here;
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
    for j in range(0, n, lanes(source)):
        store(target, j, load(source, j))


@kernel
def _input_part(source, x, w_ih, bias, z, tokens, t, r, m, p, count, tile):
    """Put the input's part of z_t for m rows and `count` panels into the tile."""
    width = PANEL * lanes(tile)
    row = t * x.shape[1] + r
    if source == FUSED:
        inputs = x.shape[2]
        gemm_tile(
            m, count * PANEL, at(x, (t, r, 0)), inputs, 1, 0, inputs,
            at(w_ih, (p, 0, 0)), at(bias, (p, 0)), 0, tile, count * width,
        )  # fmt: skip
        return
    for i in range(m):
        place = row + i if source == PROJECTED else tokens[row + i]
        for j in range(count):
            here = at(z, (p + j, place, 0)) if source == PROJECTED else at(w_ih, (p + j, place, 0))
            _copy(here, shift(tile, (i * count + j) * width), width)


@kernel
def _step(
    source, save, x, w_ih, bias, z, tokens, w_hh, h_prev, h_out, c_prev, c_out, y, y_column,
    t, p0, p1, r0, r1, tile,
):  # fmt: skip
    """One time step of panels p0 … p1 and rows r0 … r1; h and c are (B, Hp) slices."""
    v = lanes(tile)
    width = PANEL * v
    batch, hidden = x.shape[1], w_hh.shape[1]
    padded = h_prev.shape[1]
    p = p0
    while p < p1:
        count = panels_at_once(r1 - r0, p1 - p)
        r = r0
        while r < r1:
            m = row_block(r1 - r)
            _input_part(source, x, w_ih, bias, z, tokens, t, r, m, p, count, tile)
            gemm_tile(
                m, count * PANEL, at(h_prev, (r, 0)), padded, 1, 0, hidden,
                at(w_hh, (p, 0, 0)), tile, count * width, tile, count * width,
            )  # fmt: skip
            for i in range(m):
                for j in range(count):
                    unit = (p + j) * v
                    gi, gf, gg, go, h = gates_forward(
                        shift(tile, (i * count + j) * width),
                        at(c_prev, (r + i, unit)),
                        at(c_out, (r + i, unit)),
                        at(h_out, (r + i, unit)),
                    )
                    if save:
                        place = at(z, (p + j, t * batch + r + i, 0))
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


@driver
def lstm_forward(
    nt, columns, source, save, reverse, x, w_ih, bias, z, tokens, w_hh, h, c, y, y_column
):
    """Run a layer, one direction, over x.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the panels in `columns` parts.
    source, save, reverse : int, bool, bool
        Where the input's part comes from; whether gates and states are kept for `backward`;
        whether time runs from the last step to the first.
    x : (T, B, I)
        With PROJECTED and TOKENS only its first two sizes count.
    w_ih : (P, I, PANEL·V), or the projected table (P, vocabulary, PANEL·V)
    bias : (P, PANEL·V)
    z : (P, ≥ T·B, PANEL·V)
        With PROJECTED the input's part on entry; with `save` the gates on return.
    tokens : (T·B,) int64
    w_hh : (P, H, PANEL·V)
    h, c : (T + 1, B, P·V) with `save`, else (2, B, P·V)
        The initial state in the first slot (the last one, saving in reverse), padding zero. All
        states on return; without `save` the last is in slot T mod 2.
    y : (T, B, ≥ y_column + H), written
    """
    steps, batch = x.shape[0], x.shape[1]
    panels = w_hh.shape[0]
    tiles = np.empty((nt, 32 * PANEL * lanes(y)), y.dtype)
    rows = nt // columns
    if columns == 1:
        for q in prange(nt):
            state = flush_denormals()
            tile = at(tiles, (q, 0))
            r0, r1 = first(q, rows, batch), first(q + 1, rows, batch)
            for s in range(steps):
                t = steps - 1 - s if reverse else s
                before, after = _slots(s, t, save, reverse)
                _step(
                    source, save, x, w_ih, bias, z, tokens, w_hh, h[before], h[after],
                    c[before], c[after], y, y_column, t, 0, panels, r0, r1, tile,
                )  # fmt: skip
            restore_denormals(state)
    else:
        for s in range(steps):
            t = steps - 1 - s if reverse else s
            before, after = _slots(s, t, save, reverse)
            for q in prange(nt):
                state = flush_denormals()
                row, column = q // columns, q % columns
                _step(
                    source, save, x, w_ih, bias, z, tokens, w_hh, h[before], h[after],
                    c[before], c[after], y, y_column, t,
                    first(column, columns, panels), first(column + 1, columns, panels),
                    first(row, rows, batch), first(row + 1, rows, batch), at(tiles, (q, 0)),
                )  # fmt: skip
                restore_denormals(state)
