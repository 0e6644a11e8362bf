"""The time loop backward: dz overwrites the saved gates in place, step by step from the last.

A step is, for each vector of hidden units and block of rows: start from dy_t, add dz_{t+1}·W_hh on
the microkernel (its accumulators stay in registers over all panels of dz), apply the gates'
derivatives to the finished tile. Afterwards dz feeds `gemm` (dx) and `gemm_transposed` (dW, db).
Threads share rows or vectors as in `forward`.
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
    store,
    zeros_like,
)
from .blocks import first, panels_at_once, row_block
from .gates import gates_backward


@kernel
def _vectors_at_once(m, vector, end):
    """How many vectors the block that starts at `vector` takes: to its panel's end, or panels."""
    inside = vector % PANEL
    if inside == 0 and end - vector >= PANEL:
        return PANEL * panels_at_once(m, (end - vector) // PANEL)
    return min(PANEL - inside, end - vector)


@kernel
def _start(has_dy, dy, y_column, hidden, dh, last, t, r, m, unit, nv, tile):
    """What reaches h_t from outside: dy_t, and at the sequence's last step dhn (held in dh)."""
    v = lanes(tile)
    for i in range(m):
        for j in range(nv):
            u = unit + j * v
            if has_dy and u + v <= hidden:
                x = load(at(dy, (t, r + i, y_column + u)), 0)
            elif has_dy:
                x = load_n(at(dy, (t, r + i, y_column + u)), 0, hidden - u)
            else:
                x = zeros_like(load(tile, 0))
            if last:
                x = x + load(at(dh, (r + i, u)), 0)
            store(tile, (i * nv + j) * v, x)


@kernel
def _recurrent_part(z, row, w_hh, vector, m, nv, tile):
    """tile += dz·W_hh for the rows of dz from `row` on, over all panels of dz."""
    v = lanes(tile)
    width = PANEL * v
    gemm_tile(
        m, nv, at(z, (0, row, 0)), width, z.shape[0], z.shape[1] * width, width,
        at(w_hh, (vector // PANEL, 0, vector % PANEL * v)), w_hh.shape[1] * width,
        tile, nv * v, tile, nv * v,
    )  # fmt: skip


@kernel
def _step(
    has_dy, dy, y_column, w_hh, z, c_prev, c, dh, dc, hidden, t, t_after, last, v0, v1, r0, r1, tile
):
    """dz_t and dc for vectors v0 … v1 of hidden units and rows r0 … r1, from dz of step t_after."""
    v = lanes(tile)
    batch = dh.shape[0]
    vector = v0
    while vector < v1:
        nv = _vectors_at_once(r1 - r0, vector, v1)
        unit = vector * v
        r = r0
        while r < r1:
            m = row_block(r1 - r)
            _start(has_dy, dy, y_column, hidden, dh, last, t, r, m, unit, nv, tile)
            if not last:
                _recurrent_part(z, t_after * batch + r, w_hh, vector, m, nv, tile)
            for i in range(m):
                for j in range(nv):
                    u = unit + j * v
                    gates_backward(
                        at(z, (vector + j, t * batch + r + i, 0)),
                        load(tile, (i * nv + j) * v),
                        at(c_prev, (r + i, u)),
                        at(c, (r + i, u)),
                        at(dc, (r + i, u)),
                    )
            r += m
        vector += nv


@kernel
def _initial_state(w_hh, z, dh, t, v0, v1, r0, r1, tile):
    """dh0 = dz·W_hh of the sequence's first step t, into dh."""
    v = lanes(tile)
    batch = dh.shape[0]
    vector = v0
    while vector < v1:
        nv = _vectors_at_once(r1 - r0, vector, v1)
        r = r0
        while r < r1:
            m = row_block(r1 - r)
            for i in range(m * nv):
                store(tile, i * v, zeros_like(load(tile, 0)))
            _recurrent_part(z, t * batch + r, w_hh, vector, m, nv, tile)
            for i in range(m):
                for j in range(nv):
                    store(at(dh, (r + i, (vector + j) * v)), 0, load(tile, (i * nv + j) * v))
            r += m
        vector += nv


@kernel
def _times(s, steps, reverse):
    """The time of step s counted from the sequence's end, and that of the step after it."""
    return (s, s - 1) if reverse else (steps - 1 - s, steps - s)


@driver
def lstm_backward(
    nt, columns, reverse, begin, end, has_dy, dy, y_column, w_hh, z, c, dh, dc, hidden
):  # fmt: skip
    """Back through time: z holds the gates on entry and dz on return.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the units in `columns` parts.
    begin, end : int
        Which steps, counted from the sequence's last (0) to its first (T - 1). A call from 0 to T
        and calls that follow each other give the same.
    has_dy : bool
        False where nothing but dhn and dcn arrives.
    dy : (T, B, ≥ y_column + H)
    w_hh : (ceil(P/PANEL), P·PANEL·V, PANEL·V)
        Packed by `pack.pack_columns`.
    z : (P, ≥ T·B, PANEL·V)
    c : (T + 1, B, P·V)
        As `forward` saved it.
    dh, dc : (B, P·V)
        dhn and dcn on entry, their padding zero. When step T - 1 is done, dh0 and dc0.
    """
    steps, batch, vectors = c.shape[0] - 1, dh.shape[0], z.shape[0]
    tiles = np.empty((nt, 32 * PANEL * lanes(z)), z.dtype)
    rows = nt // columns
    first_t, _ = _times(steps - 1, steps, reverse)
    alone = columns == 1
    turns = 1 if alone else end - begin + (end == steps)
    for turn in range(turns):
        for q in prange(nt):
            state = flush_denormals()
            tile = at(tiles, (q, 0))
            row, column = q // columns, q % columns
            v0, v1 = first(column, columns, vectors), first(column + 1, columns, vectors)
            r0, r1 = first(row, rows, batch), first(row + 1, rows, batch)
            for s in range(begin + turn, end if alone else min(end, begin + turn + 1)):
                t, t_after = _times(s, steps, reverse)
                before, after = (t + 1, t) if reverse else (t, t + 1)
                _step(
                    has_dy, dy, y_column, w_hh, z, c[before], c[after], dh, dc, hidden,
                    t, t_after, s == 0, v0, v1, r0, r1, tile,
                )  # fmt: skip
            if end == steps and turn == turns - 1:
                _initial_state(w_hh, z, dh, first_t, v0, v1, r0, r1, tile)
            restore_denormals(state)
