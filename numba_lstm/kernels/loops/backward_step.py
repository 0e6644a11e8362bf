"""One time step backward of a cell of one phase: dh_t, and the gates' derivatives.

    dh_t = dy_t + dz_{t+1}·W_hh

and with zoneout, h_t = k·h_{t-1} + (1 - k)·h, the part k·dh_t goes to h_{t-1} past the cell (in
`carry`), and the rest, (1 - k)·dh_t, through it.
"""

from __future__ import annotations

from typing import Any

from ...jit import kernel
from ...simd import (
    PANEL,
    STRIP,
    at,
    call_apart,
    gemm_tile,
    lanes,
    load,
    load_n,
    shift,
    store,
    zeros_like,
)
from ..blocks import TILE, panels_at_once, row_block
from .states import load_unit, unless_reset, zoneout_of

__all__ = [
    "back_through_masks",
    "clear_padding",
    "dh_phase",
    "fill_dh",
    "gates_step_back",
    "initial_gradient",
    "over_blocks",
    "plain_backward",
    "saved_gate_state",
    "state_gradient",
    "store_state_gradient",
]


@kernel
def vectors_at_once(m, vector, end):
    """How many vectors the block at `vector` takes: whole panels, or what is left of its panel."""
    inside = vector % PANEL
    if inside == 0 and end - vector >= PANEL:
        return PANEL * panels_at_once(m, (end - vector) // PANEL, STRIP)
    # Within a panel a block either begins with a strip or stays inside it.
    left = PANEL - inside if inside % STRIP == 0 else STRIP - inside % STRIP
    return min(left, end - vector)


@kernel
def _recurrent_part(windows, a, row, vector, m, nv, tile):
    """tile += dz·W_hh: m rows of dz from `row` on, nv vectors of h, summed over dz's panels."""
    v = lanes(tile)
    width = PANEL * v
    gemm_tile(
        STRIP, m, nv, at(a.dz, (0, row, windows[1] * v)), width, a.dz.shape[0],
        a.dz.shape[1] * width, windows[2] * v,
        at(a.w_hh, (vector // STRIP, 0, vector % STRIP * v)), a.w_hh.shape[1] * STRIP * v, tile,
        nv * v, tile, nv * v,
    )  # fmt: skip


@kernel
def back_through_masks(x, a, row, r, unit):
    """x, the gradient of h_t as the next step's product read it, made that of h_t: drop and reset.

    The next step of row r of the batch stands in `row`.
    """
    if a.keep.size:
        x = unless_reset(x, a.keep, row)
    if a.drop.shape[0]:
        x = x * load(at(a.drop, (r, unit)), 0)
    return x


@kernel
def _dy_of(a, row, unit):
    """dy_t of V units of a row; zeros without dy."""
    if a.has_dy:
        return load_unit(a.dy, row, a.y_column, unit, a.size)
    return zeros_like(load(at(a.w_hh, (0, 0, 0)), 0))


@kernel
def _split_by_zoneout(x, a, row, r, unit):
    """(1 - k)·dh_t for the cell; k·dh_t, which zoneout hands to h_{t-1}, goes into `carry`."""
    past = at(a.carry, (r, unit))
    x = x + load(past, 0)
    k = zoneout_of(a.zone_h, row, unit)
    old = k * x
    if a.keep.size:
        old = unless_reset(old, a.keep, row)
    store(past, 0, old)
    return (1.0 - k) * x


@kernel
def _rows_of_dy(m, nv, dy, dy_ld, left, tile):
    """m rows of dy_t into the tile; behind their first unit there are `left`."""
    v = lanes(tile)
    for i in range(m):
        for j in range(nv):
            if (j + 1) * v <= left:
                x = load(dy, i * dy_ld + j * v)
            else:
                x = load_n(dy, i * dy_ld + j * v, max(0, left - j * v))
            store(tile, (i * nv + j) * v, x)


@kernel
def dh_into_tile(windows, a, s, vector, nv, r, m, tile):
    """dh_t into the tile: dy_t + dz_{t+1}·W_hh, or at a row's last step dy_t + dhn (in dh)."""
    v = lanes(tile)
    # Masks apply to dz_{t+1}·W_hh alone: with them dy_t is added after the product, else before.
    later = a.masked and not s.last
    if later or s.last or not a.has_dy:
        for i in range(m):
            for j in range(nv):
                unit = (vector + j) * v
                if later:
                    x = zeros_like(load(tile, 0))
                else:
                    x = _dy_of(a, s.row0 + r + i, unit)
                if s.last:
                    x = x + load(at(a.dh, (r + i, unit)), 0)
                store(tile, (i * nv + j) * v, x)
    else:
        dy = at(a.dy, (s.row0 + r, a.y_column + vector * v))
        call_apart(_rows_of_dy, (m, nv, dy, a.dy.shape[1], a.size - vector * v, tile))
    if not s.last:
        _recurrent_part(windows, a, s.after + r, vector, m, nv, tile)
    if a.masked:
        for i in range(m):
            for j in range(nv):
                unit = (vector + j) * v
                row = s.row0 + r + i
                x = load(tile, (i * nv + j) * v)
                if later:
                    x = back_through_masks(x, a, s.after + r + i, r + i, unit)
                    x = x + _dy_of(a, row, unit)
                if a.zone_h.shape[0]:
                    x = _split_by_zoneout(x, a, row, r + i, unit)
                store(tile, (i * nv + j) * v, x)


@kernel
def clear_padding(place, slots, count):
    """Zeros for the units past H in dz. An infinite weight times 0 would have made them NaN."""
    v = lanes(place)
    for slot in range(slots):
        store(place, slot * v, load_n(place, slot * v, max(0, count)))


@kernel
def saved_gate_state(a, row, unit):
    """What the gates read of a row beside z: c_{t-1}, or h_{t-1} of a cell without c."""
    if a.gate_state.shape[1]:
        prev = load(at(a.gate_state, (row, unit)), 0)
        if a.masked and a.keep.size:
            prev = unless_reset(prev, a.keep, row)
        return prev
    return load(at(a.u, (row, a.h_column + unit)), 0)


@kernel
def saved_gate_states(a, row, unit):
    """Where `saved_gate_state` is without masks, from `row` on, and a row's items."""
    if a.gate_state.shape[1]:
        return at(a.gate_state, (row, unit)), a.gate_state.shape[1]
    return at(a.u, (row, a.h_column + unit)), a.u.shape[1]


@kernel
def state_gradient(a, row, r, unit):
    """(d, past): the gradient of the cell's state, and what zoneout hands to the state before.

    With k of zoneout: d = (1 - k)·total, past = k·total, total = d_gate_state + dcells.
    """
    d = load(at(a.d_gate_state, (r, unit)), 0)
    past = zeros_like(d)
    if a.dcells.shape[0]:
        d = d + load(at(a.dcells, (row, unit)), 0)
    if a.masked and a.zone_c.shape[0]:
        k = zoneout_of(a.zone_c, row, unit)
        past = k * d
        d = (1.0 - k) * d
    return d, past


@kernel
def store_state_gradient(d_prev, a, row, r, unit):
    """Store the gradient of the state before the step; zeros where it was reset."""
    if a.masked and a.keep.size:
        d_prev = unless_reset(d_prev, a.keep, row)
    store(at(a.d_gate_state, (r, unit)), 0, d_prev)


def over_blocks(body: Any, of_h: bool = False) -> Any:
    """A kernel (a, workspace, s, share, tile) that calls `body` for each block of a share.

    ``body(a, workspace, s, vector, nv, r, m, tile)`` takes m rows from r on and nv vectors of units
    (of h with `of_h`, else of z).
    """

    @kernel
    def blocks(a, workspace, s, share, tile):
        vector, stop = (share.h0, share.h1) if of_h else (share.p0, share.p1)
        while vector < stop:
            nv = vectors_at_once(share.r1 - share.r0, vector, stop)
            r = share.r0
            while r < share.r1:
                m = row_block(share.r1 - r, STRIP)
                body(a, workspace, s, vector, nv, r, m, tile)
                r += m
            vector += nv

    return blocks


def _gates_of_rows(gates: Any, slots: int, constants: bool) -> Any:
    """A kernel: the gates' derivatives on m rows of `count` vectors of units, from `vector` on.

    Rows of what it reads and writes are `…_ld` items apart, and panels of z `panel_ld`. Behind the
    first unit there are `left`. `d` holds the gradient of the state past the gates, and gets that
    of the state before; not with a `d_ld` of 0.
    """
    units = PANEL // slots

    @kernel
    def gates_of_rows(
        m, vector, count, z, panel_ld, left, dh, dh_ld, prev, prev_ld, d, d_ld, of_units, units_ld
    ):  # fmt: skip
        v = lanes(z)
        for i in range(m):
            for j in range(count):
                n = vector + j
                place = shift(z, n // units * panel_ld + (i * PANEL + n % units * slots) * v)
                dh_t, before = load(dh, i * dh_ld + j * v), load(prev, i * prev_ld + j * v)
                past = load(d, i * d_ld + j * v) if d_ld else zeros_like(dh_t)
                if constants:
                    past = gates(place, dh_t, before, past, shift(of_units, j * units_ld))
                else:
                    past = gates(place, dh_t, before, past)
                if d_ld:
                    store(d, i * d_ld + j * v, past)
                if (j + 1) * v > left:
                    clear_padding(place, slots, left - j * v)

    return gates_of_rows


def gates_step_back(fill: Any, gates: Any, slots: int, constants: bool) -> Any:
    """A kernel for a share of a step: dz_t and d_gate_state; `fill` puts dh_t into the tile."""
    gates_of_rows = _gates_of_rows(gates, slots, constants)

    @kernel
    def run_gates(a, s, vector, nv, r, m, tile, prev, prev_ld, d, d_ld):
        v = lanes(tile)
        call_apart(
            gates_of_rows,
            (m, vector, nv, at(a.z, (0, s.row0 + r, 0)), a.z.shape[1] * PANEL * v,
             a.hidden - vector * v, tile, nv * v, prev, prev_ld, d, d_ld,
             at(a.constants, (vector, 0)), a.constants.shape[1]),
        )  # fmt: skip

    @kernel
    def through_scratch(a, s, vector, nv, r, m, tile):
        """With masks: what the gates read and leave takes a detour."""
        v = lanes(tile)
        width = PANEL * v
        prev, d, past = (
            shift(tile, TILE // 4 * width), shift(tile, TILE // 2 * width),
            shift(tile, TILE // 4 * 3 * width),
        )  # fmt: skip
        for i in range(m):
            for j in range(nv):
                row, unit, here = s.row0 + r + i, (vector + j) * v, (i * nv + j) * v
                store(prev, here, saved_gate_state(a, row, unit))
                if a.d_gate_state.shape[1]:
                    of_cell, past_cell = state_gradient(a, row, r + i, unit)
                    store(d, here, of_cell)
                    store(past, here, past_cell)
        run_gates(a, s, vector, nv, r, m, tile, prev, nv * v, d, nv * v)
        if a.d_gate_state.shape[1]:
            for i in range(m):
                for j in range(nv):
                    here = (i * nv + j) * v
                    d_prev = load(d, here) + load(past, here)
                    store_state_gradient(d_prev, a, s.row0 + r + i, r + i, (vector + j) * v)

    @kernel
    def body(a, workspace, s, vector, nv, r, m, tile):
        fill(a, workspace, s, vector, nv, r, m, tile)
        if a.masked or a.dcells.shape[0]:
            through_scratch(a, s, vector, nv, r, m, tile)
        else:
            unit, row = vector * lanes(tile), s.row0 + r
            prev, prev_ld = saved_gate_states(a, row, unit)
            d_ld = a.d_gate_state.shape[1]
            d = at(a.d_gate_state, (r, unit))
            run_gates(a, s, vector, nv, r, m, tile, prev, prev_ld, d, d_ld)

    return over_blocks(body)


def fill_dh(windows: tuple) -> Any:
    """`dh_into_tile` for a cell's windows, as a `fill` of `gates_step_back`."""

    @kernel
    def fill(a, workspace, s, vector, nv, r, m, tile):
        dh_into_tile(windows, a, s, vector, nv, r, m, tile)

    return fill


def dh_phase(windows: tuple, whole: bool) -> Any:
    """A phase: dh_t into ``workspace.dh``, in the step's rows if `whole`, else from row 0 on."""

    @kernel
    def body(a, workspace, s, vector, nv, r, m, tile):
        v = lanes(tile)
        dh_into_tile(windows, a, s, vector, nv, r, m, tile)
        row = s.row0 + r if whole else r
        for i in range(m):
            for j in range(nv):
                x = load(shift(tile, (i * nv + j) * v), 0)
                store(at(workspace.dh, (row + i, (vector + j) * v)), 0, x)

    return over_blocks(body, of_h=True)


def plain_backward(gates: Any, slots: int, windows: tuple, constants: bool = False) -> Any:
    """The phase of a cell of one phase; see `backward.backward_driver`."""
    step = gates_step_back(fill_dh(windows), gates, slots, constants)

    @kernel
    def run(phase, a, workspace, s, share, tile):
        step(a, workspace, s, share, tile)

    return run


def initial_gradient(windows: tuple) -> Any:
    """A kernel: dh0 = dz·W_hh, into dh, for rows whose first step stands in ``after + r``."""

    @kernel
    def body(a, workspace, s, vector, nv, r, m, tile):
        v = lanes(tile)
        for i in range(m * nv):
            store(tile, i * v, zeros_like(load(tile, 0)))
        _recurrent_part(windows, a, s.after + r, vector, m, nv, tile)
        for i in range(m):
            for j in range(nv):
                unit = (vector + j) * v
                x = load(tile, (i * nv + j) * v)
                if a.masked:
                    x = back_through_masks(x, a, s.after + r + i, r + i, unit)
                store(at(a.dh, (r + i, unit)), 0, x)

    return over_blocks(body, of_h=True)
