"""The time loop backward: dz overwrites the saved gates in place, step by step from the last.

A step is, for each vector of hidden units and block of rows: start from dy_t, add dz_{t+1}·W_hh on
the microkernel (its accumulators stay in registers over all panels of dz), apply the gates'
derivatives to the finished tile. Afterwards dz feeds `gemm` (dx) and `gemm_transposed` (dW, db).
Threads share rows or vectors, and rows of different lengths stand, as in `forward`.
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
    store,
    zeros_like,
)
from .blocks import first, panels_at_once, row_block
from .forward import active, kept


@kernel
def _vectors_at_once(m, vector, end):
    """How many vectors the block that starts at `vector` takes: to its panel's end, or panels."""
    inside = vector % PANEL
    if inside == 0 and end - vector >= PANEL:
        return PANEL * panels_at_once(m, (end - vector) // PANEL)
    return min(PANEL - inside, end - vector)


@kernel
def _recurrent_part(windows, z, row, w_hh, vector, m, nv, tile):
    """tile += dz·W_hh for the rows of dz from `row` on, over all panels of dz."""
    v = lanes(tile)
    width = PANEL * v
    gemm_tile(
        m, nv, at(z, (0, row, windows[1] * v)), width, z.shape[0], z.shape[1] * width,
        windows[2] * v, at(w_hh, (vector // PANEL, 0, vector % PANEL * v)),
        w_hh.shape[1] * width, tile, nv * v, tile, nv * v,
    )  # fmt: skip


@kernel
def _scaled(x, keep, drop, row, r, unit):
    """What reaches h of row r, from what reaches it as its next step read it, in row `row`."""
    if keep.size:
        x = kept(x, keep, row)
    if drop.shape[0]:
        x = x * load(at(drop, (r, unit)), 0)
    return x


@kernel
def _from_outside(has_dy, dy, y_column, size, row, unit, v):
    """dy_t of a row's vector of units."""
    u = unit
    if has_dy and u + v <= size:
        return load(at(dy, (row, y_column + u)), 0)
    return load_n(at(dy, (row, y_column + u)), 0, max(0, size - u) if has_dy else 0)


@kernel
def _arriving(
    windows, has_dy, dy, y_column, size, w_hh, z, dh, row0, after, last, vector, nv, r, m, tile,
    masked, keep, drop,
):  # fmt: skip
    """dh_t into the tile: dy_t, and what comes from the next step, or dhn (in dh) at the last."""
    v = lanes(tile)
    scaled = masked and not last
    for i in range(m):
        for j in range(nv):
            unit = (vector + j) * v
            if scaled:
                x = zeros_like(load(tile, 0))
            else:
                x = _from_outside(has_dy, dy, y_column, size, row0 + r + i, unit, v)
            if last:
                x = x + load(at(dh, (r + i, unit)), 0)
            store(tile, (i * nv + j) * v, x)
    if not last:
        _recurrent_part(windows, z, after + r, w_hh, vector, m, nv, tile)
    if scaled:
        for i in range(m):
            for j in range(nv):
                unit = (vector + j) * v
                x = load(tile, (i * nv + j) * v)
                x = _scaled(x, keep, drop, after + r + i, r + i, unit)
                x = x + _from_outside(has_dy, dy, y_column, size, row0 + r + i, unit, v)
                store(tile, (i * nv + j) * v, x)


@kernel
def _collect(
    windows, has_dy, dy, y_column, size, w_hh, z, dh, dp, row0, after, last, v0, v1, r0, r1, tile,
    masked, keep, drop,
):  # fmt: skip
    """dh_t into dp, for vectors v0 … v1 of a projected h and rows r0 … r1."""
    v = lanes(tile)
    vector = v0
    while vector < v1:
        nv = _vectors_at_once(r1 - r0, vector, v1)
        r = r0
        while r < r1:
            m = row_block(r1 - r)
            _arriving(
                windows, has_dy, dy, y_column, size, w_hh, z, dh, row0, after, last, vector, nv,
                r, m, tile, masked, keep, drop,
            )  # fmt: skip
            for i in range(m):
                for j in range(nv):
                    place = at(dp, (row0 + r + i, (vector + j) * v))
                    store(place, 0, load(tile, (i * nv + j) * v))
            r += m
        vector += nv


@kernel
def _clear_padding(place, slots, count):
    """Zeros for the units past H in dz: 0·∞ in the products before would come back as NaN."""
    v = lanes(place)
    for slot in range(slots):
        store(place, slot * v, load_n(place, slot * v, max(0, count)))


def _step_kernel(gates: Any, slots: int, windows: tuple, projects: bool, constants: bool) -> Any:
    """One time step of one cell; see `backward_driver`."""

    @kernel
    def step(
        has_dy, dy, y_column, w_hh, z, u, h_column, c, dh, dc, size, hidden, dp, w_hr, zeros, row0,
        after,
        end, last, v0, v1, r0, r1, tile, masked, keep, drop, extra, has_dcells, dcells,
    ):  # fmt: skip
        """dz_t and dc for vectors v0 … v1 of hidden units and rows r0 … r1, all `last` or none.

        The states of row r stand in row ``row0 + r`` of u and c, those after the step in
        ``after + r`` or, at a row's last step, in ``end + r``.
        """
        v = lanes(tile)
        units = PANEL // slots
        vector = v0
        while vector < v1:
            nv = _vectors_at_once(r1 - r0, vector, v1)
            r = r0
            while r < r1:
                m = row_block(r1 - r)
                if projects:
                    width = PANEL * v
                    gemm_tile(
                        m, nv, at(dp, (row0 + r, 0)), dp.shape[1], 1, 0, size,
                        at(w_hr, (vector // PANEL, 0, vector % PANEL * v)), size * width,
                        at(zeros, (0,)), 0, tile, nv * v,
                    )  # fmt: skip
                else:
                    _arriving(
                        windows, has_dy, dy, y_column, size, w_hh, z, dh, row0, after, last, vector,
                        nv, r, m, tile, masked, keep, drop,
                    )  # fmt: skip
                for i in range(m):
                    row = row0 + r + i
                    for j in range(nv):
                        n = vector + j
                        unit = n * v
                        dh_t = load(tile, (i * nv + j) * v)
                        state, d_state = dh_t, zeros_like(dh_t)
                        if c.shape[1]:
                            prev = load(at(c, (row, unit)), 0)
                            if masked and keep.size:
                                prev = kept(prev, keep, row)
                            state = load(at(c, ((end if last else after) + r + i, unit)), 0)
                        else:
                            prev = load(at(u, (row, h_column + unit)), 0)
                        if dc.shape[1]:
                            d_state = load(at(dc, (r + i, unit)), 0)
                            if has_dcells:
                                d_state = d_state + load(at(dcells, (row, unit)), 0)
                        place = at(z, (n // units, row, n % units * slots * v))
                        if constants:
                            own = at(extra, (n, 0))
                            d_state = gates(place, dh_t, prev, state, d_state, own)
                        else:
                            d_state = gates(place, dh_t, prev, state, d_state)
                        if unit + v > hidden:
                            _clear_padding(place, slots, hidden - unit)
                        if dc.shape[1]:
                            if masked and keep.size:
                                d_state = kept(d_state, keep, row)
                            store(at(dc, (r + i, unit)), 0, d_state)
                r += m
            vector += nv

    return step


@kernel
def _initial_state(windows, w_hh, z, dh, row0, v0, v1, r0, r1, tile, masked, keep, drop):
    """dh0 = dz·W_hh of a row's first step, whose dz is in row ``row0 + r``, into dh."""
    v = lanes(tile)
    vector = v0
    while vector < v1:
        nv = _vectors_at_once(r1 - r0, vector, v1)
        r = r0
        while r < r1:
            m = row_block(r1 - r)
            for i in range(m * nv):
                store(tile, i * v, zeros_like(load(tile, 0)))
            _recurrent_part(windows, z, row0 + r, w_hh, vector, m, nv, tile)
            for i in range(m):
                for j in range(nv):
                    unit = (vector + j) * v
                    x = load(tile, (i * nv + j) * v)
                    if masked:
                        x = _scaled(x, keep, drop, row0 + r + i, r + i, unit)
                    store(at(dh, (r + i, unit)), 0, x)
            r += m
        vector += nv


@kernel
def _between(low, high, part, parts, shares, alone):
    """The rows of low … high that are a thread's: its own, or a share of them."""
    if alone:
        return max(low, min(high, shares[part])), max(low, min(high, shares[part + 1]))
    return low + first(part, parts, high - low), low + first(part + 1, parts, high - low)


def backward_driver(
    name: str,
    gates: Any,
    slots: int,
    windows: tuple,
    projects: bool = False,
    constants: bool = False,
) -> Any:
    """The time loop backward of one cell; as `forward.forward_driver`.

    Parameters
    ----------
    gates : kernel (place, dh, prev, state, d_state) -> d_prev
        Overwrites what its forward left at `place` by dz; the rest are vectors. `d_state` is what
        reaches the state other than through y, and d_prev what goes on so to the one before. With
        `constants` one more: where those of its units stand.
    """
    phases = 2 if projects else 1
    step = _step_kernel(gates, slots, windows, projects, constants)

    @named_driver(name)
    def backward(
        nt, columns, reverse, begin, end, offsets, shares, has_dy, dy, y_column, w_hh, z, u,
        h_column, c, dh, dc, size, hidden, keep, drop, w_hr, dp, extra, dcells,
    ):  # fmt: skip
        steps = offsets.size - 1
        h_vectors = dh.shape[1] // lanes(z)
        vectors = z.shape[0] * (PANEL // slots)
        zeros = np.zeros(32 * lanes(z), z.dtype)  # for the widest block
        tiles = np.empty((nt, 32 * PANEL * lanes(z)), z.dtype)
        masked = keep.size > 0 or drop.shape[0] > 0
        has_dcells = dcells.shape[0] > 0
        rows = nt // columns
        alone = columns == 1
        stop = end + (end == steps)
        for turn in range(1 if alone else (stop - begin) * phases):
            for q in prange(nt):
                state = flush_denormals()
                tile = at(tiles, (q, 0))
                row, column = q // columns, q % columns
                v0, v1 = first(column, columns, vectors), first(column + 1, columns, vectors)
                h0, h1 = first(column, columns, h_vectors), first(column + 1, columns, h_vectors)
                first_phase = alone or turn % phases == 0
                last_phase = alone or turn % phases == phases - 1
                s0, s1 = begin + turn // phases, begin + turn // phases + 1
                for s in range(begin if alone else s0, stop if alone else s1):
                    t = s if reverse else steps - 1 - s
                    t_after = t - 1 if reverse else t + 1
                    n = active(offsets, t)
                    n_after = active(offsets, t_after)
                    after = offsets[t_after] if s > 0 else 0
                    # Rows whose first step was the one after this one are done.
                    if first_phase:
                        r0, r1 = _between(min(n, n_after), n_after, row, rows, shares, alone)
                        _initial_state(
                            windows, w_hh, z, dh, after, h0, h1, r0, r1, tile, masked, keep, drop
                        )
                    for part in range(2 if s < steps else 0):
                        # Rows that go on, and those whose last step this is.
                        low = 0 if part == 0 else min(n, n_after)
                        high = min(n, n_after) if part == 0 else n
                        r0, r1 = _between(low, high, row, rows, shares, alone)
                        if projects and first_phase:
                            _collect(
                                windows, has_dy, dy, y_column, size, w_hh, z, dh, dp, offsets[t],
                                after, part == 1, h0, h1, r0, r1, tile, masked, keep, drop,
                            )  # fmt: skip
                        if last_phase:
                            step(
                                has_dy, dy, y_column, w_hh, z, u,
                                h_column, c, dh, dc, size, hidden, dp, w_hr, zeros, offsets[t],
                                after,
                                offsets[steps], part == 1, v0, v1, r0, r1, tile, masked, keep, drop,
                                extra, has_dcells, dcells,
                            )  # fmt: skip
                restore_denormals(state)

    backward.__doc__ = DOCUMENTATION
    return backward


DOCUMENTATION = """Back through time: z holds what forward saved on entry and dz on return.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the units in `columns` parts.
    begin, end : int
        Which steps, counted from the sequence's last (0) to its first (T - 1). A call from 0 to T
        and calls that follow each other give the same.
    offsets, shares, keep, drop, extra
        As for forward.
    has_dy : bool
        False where nothing but dhn and dcn arrives.
    dy : (N, ≥ y_column + H)
    size, hidden : int
        Of h, which may be projected, and H.
    w_hh : (ceil(P/PANEL), rows, PANEL·V)
        Packed by `pack.pack_columns`: a row for each item of dz that the state reaches.
    z : (P, ≥ N, PANEL·V)
    u, c : (N + B, …)
        As forward saved them; h stands from `h_column` on.
    dh, dc : (B, padded H)
        dhn and dcn on entry, their padding zero; dh0 and dc0 when step T - 1 is done. dc is what
        reaches the state past the gates: a GRU's starts at zero and is to be added to dh0 in the
        end; of no columns for a cell without.
    w_hr : (panels of H, size of h, PANEL·V), or empty
        Of a cell that projects: W_hr, packed by `pack.pack_columns`.
    dp : (N, padded size of h), written by a cell that projects
        What reaches h_t.
    dcells : (N, padded H), or of no rows
        What reaches the state after each step from outside; of a cell with dc only.
    """
