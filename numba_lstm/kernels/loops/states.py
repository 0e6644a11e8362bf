"""Rows of states: what a step reads of them, and stores after resets, dropout and zoneout."""

from __future__ import annotations

from ...jit import kernel
from ...simd import at, fma, lanes, load, load_n, store, store_n, zeros_like

__all__ = [
    "any_mask",
    "copy",
    "load_unit",
    "out_row",
    "previous_gate_state",
    "previous_gate_states",
    "put_h",
    "put_state",
    "rows_in_step",
    "unless_reset",
    "zoneout_of",
]


@kernel
def any_mask(keep, drop, zone_h, zone_c):
    """Whether any of the masks is there."""
    return keep.size + drop.shape[0] + zone_h.shape[0] + zone_c.shape[0] > 0


@kernel
def rows_in_step(offsets, t):
    """n_t: how many rows step t runs; 0 before the first and after the last step."""
    return offsets[t + 1] - offsets[t] if 0 <= t < offsets.size - 1 else 0


@kernel
def unless_reset(x, keep, row):
    """x, or zeros where the states of `row` are reset. A factor of 0 would let NaN pass."""
    if keep[row] == 0:
        return zeros_like(x)
    return x


@kernel
def copy(source, target, n):
    """Copy n items, a vector at a time."""
    v = lanes(source)
    whole = n // v * v
    for j in range(0, whole, v):
        store(target, j, load(source, j))
    if whole < n:
        store_n(target, whole, load_n(source, whole, n - whole), n - whole)


@kernel
def load_unit(array, row, column, unit, size):
    """Load V units from `unit` on; a row has `size` units behind `column`, and zeros follow."""
    place = at(array, (row, column + unit))
    if unit + lanes(array) <= size:
        return load(place, 0)
    return load_n(place, 0, max(0, size - unit))


@kernel
def store_unit(x, array, row, column, unit, size):
    """Store x as `load_unit` loads it; what lies past the row's `size` units is left alone."""
    place = at(array, (row, column + unit))
    if unit + lanes(array) <= size:
        store(place, 0, x)
    else:
        store_n(place, 0, x, max(0, size - unit))


@kernel
def zoneout_of(zone, row, unit):
    """k, the part of the old state that stays; one row of `zone` serves all rows."""
    return load_unit(zone, row if zone.shape[0] > 1 else 0, 0, unit, zone.shape[1])


@kernel
def after_zoneout(new, old, zone, row, unit):
    """k·old + (1 - k)·new. The result is exactly old where k = 1, exactly new where k = 0."""
    k = zoneout_of(zone, row, unit)
    return fma(k, old, (1.0 - k) * new)


@kernel
def previous_h(a, s, r, unit):
    """h_{t-1} of row r for zoneout: without dropout, zero after a reset."""
    if r < s.n_prev:
        h = load_unit(a.y, s.prev_row + r, a.y_column, unit, a.size)
    elif a.has_initial:
        h = load_unit(a.h0, r, 0, unit, a.size)
    else:
        h = zeros_like(load(at(a.bias, (0, 0)), 0))
    if a.keep.size:
        h = unless_reset(h, a.keep, s.row0 + r)
    return h


@kernel
def previous_gate_state(states, a, s, r, unit):
    """What the gates read of row r beside z: c_{t-1}, or h_{t-1} of a cell without c."""
    if states == 2 or a.gate_state.shape[1]:
        prev = load(at(a.gate_state, (s.before + r, unit)), 0)
        if a.masked and a.keep.size:
            prev = unless_reset(prev, a.keep, s.row0 + r)
        return prev
    return load(at(a.u, (s.before + r, a.h_column + unit)), 0)


@kernel
def previous_gate_states(states, a, s, r, unit):
    """Where `previous_gate_state` is without masks, from row r on, and a row's items."""
    if states == 2 or a.gate_state.shape[1]:
        return at(a.gate_state, (s.before + r, unit)), a.gate_state.shape[1]
    return at(a.u, (s.before + r, a.h_column + unit)), a.u.shape[1]


@kernel
def out_row(s, r):
    """Where row r's new states go: before its next step, or to the end."""
    return s.after + r if r < s.n_next else s.end + r


@kernel
def put_state(prev, state, a, s, r, unit):
    """Store row r's new c in gate_state, after zoneout."""
    if a.masked and a.zone_c.shape[0]:
        if a.fresh.shape[1]:
            store(at(a.fresh, (s.row0 + r, unit)), 0, state)
        state = after_zoneout(state, prev, a.zone_c, s.row0 + r, unit)
    store(at(a.gate_state, (out_row(s, r), unit)), 0, state)


@kernel
def put_h(states, h, a, s, r, unit):
    """Store row r's new h: after zoneout in y, and in u as the products of its next step read it.

    For the next step dropout and a reset apply to u. The last h stands in u without them.
    """
    if a.masked and a.zone_h.shape[0]:
        h = after_zoneout(h, previous_h(a, s, r, unit), a.zone_h, s.row0 + r, unit)
    store_unit(h, a.y, s.row0 + r, a.y_column, unit, a.size)
    if states == 1 and a.gate_state.shape[1]:
        store(at(a.gate_state, (out_row(s, r), unit)), 0, h)
    if a.masked and r < s.n_next:
        if a.drop.shape[0]:
            h = h * load(at(a.drop, (r, unit)), 0)
        if a.keep.size:
            h = unless_reset(h, a.keep, s.next_row + r)
    store(at(a.u, (out_row(s, r), a.h_column + unit)), 0, h)
