"""Where rows of states stand, and what a step reads and leaves there: for all cells and passes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...jit import kernel
from ...simd import at, fma, lanes, load, load_n, store, store_n, zeros_like

__all__ = [
    "Layer",
    "Masks",
    "Place",
    "Share",
    "Turn",
    "active",
    "any_mask",
    "copy",
    "kept",
    "load_unit",
    "previous_state",
    "put_h",
    "put_state",
    "zone_at",
]


class Masks(NamedTuple):
    """What states are multiplied by or replaced with; arrays of no rows for what is not there.

    Attributes
    ----------
    keep : (N,)
        0 where a row's states are set to zero before the step, else 1.
    drop : (B, padded H)
        Factors of h_{t-1} in the recurrent product, the same at every step.
    zone_h, zone_c : (N, size of h) and (N, H), or (1, …) for all steps the same
        Zoneout's k, how much of the old state stays: s_t = k·s_{t-1} + (1 - k)·(the cell's s_t).
    fresh : (N, padded H), or of no columns, written
        With zoneout of c, for a cell that needs it going back: the cell's c_t.
    """

    keep: np.ndarray
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    fresh: np.ndarray


class Layer(NamedTuple):
    """What a forward pass works on: arguments of `forward`'s driver, by their names there."""

    source: int
    save: bool
    inputs: int
    size: int
    hidden: int
    h_column: int  # where h stands in a row of u
    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray
    given: np.ndarray
    z: np.ndarray
    tokens: np.ndarray
    stated: bool
    h0: np.ndarray
    c0: np.ndarray
    u: np.ndarray
    c: np.ndarray
    y: np.ndarray
    y_column: int
    constants: np.ndarray
    masked: bool  # whether any of the masks is there
    keep: np.ndarray
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    fresh: np.ndarray


class Place(NamedTuple):
    """Where row r of a step stands.

    In x, y, tokens and `given` in ``row0 + r``; with its states in ``before + r`` of u and c. It
    leaves new ones in ``after + r`` if it has a next step (r < n_next; there its row of `keep` is
    ``next_row + r``), else in ``end + r``. What the cell keeps of a step is in ``z_row + r`` of z
    and in ``own_row + r`` of its own arrays. The step before had it, if r < n_prev, in
    ``prev_row + r``.
    """

    row0: int
    before: int
    after: int
    end: int
    next_row: int
    n_next: int
    z_row: int
    own_row: int
    prev_row: int
    n_prev: int


class Turn(NamedTuple):
    """Which steps and phases threads run before they join, and how they share them.

    Steps s0 … s1 of the sequence, counted as time runs, and of each the phases f0 … f1. Each thread
    owns its `shares` of the rows, or, where they are not `alone`, shares panels with others, for
    whom it waits as one of a `team`.
    """

    nt: int
    columns: int
    alone: bool
    team: bool
    reverse: bool
    offsets: np.ndarray
    shares: np.ndarray
    s0: int
    s1: int
    f0: int
    f1: int


class Share(NamedTuple):
    """A thread's part of a step: rows r0 … r1, panels p0 … p1 of z, panels h0 … h1 of h.

    The rows are shared with the other threads of ``columns``, of which it is number `column`.
    """

    r0: int
    r1: int
    p0: int
    p1: int
    h0: int
    h1: int
    column: int
    columns: int


@kernel
def any_mask(keep, drop, zone_h, zone_c):
    """Whether any of them is there."""
    return keep.size + drop.shape[0] + zone_h.shape[0] + zone_c.shape[0] > 0


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
    """The vector of `unit` in a row of `size` items from `column` on; zeros past them."""
    place = at(array, (row, column + unit))
    if unit + lanes(array) <= size:
        return load(place, 0)
    return load_n(place, 0, max(0, size - unit))


@kernel
def store_unit(x, array, row, column, unit, size):
    """Write what of it lies within the row's `size` items."""
    place = at(array, (row, column + unit))
    if unit + lanes(array) <= size:
        store(place, 0, x)
    else:
        store_n(place, 0, x, max(0, size - unit))


@kernel
def zone_at(zone, row, unit):
    """How much of the old state stays."""
    return load_unit(zone, row if zone.shape[0] > 1 else 0, 0, unit, zone.shape[1])


@kernel
def zoned(new, old, zone, row, unit):
    """k·old + (1 - k)·new, each of them exactly where k is 1 or 0."""
    k = zone_at(zone, row, unit)
    return fma(k, old, (1.0 - k) * new)


@kernel
def previous_h(a, s, r, unit):
    """h_{t-1} of row r as it came out of the step before: not dropped, but reset."""
    if r < s.n_prev:
        h = load_unit(a.y, s.prev_row + r, a.y_column, unit, a.size)
    elif a.stated:
        h = load_unit(a.h0, r, 0, unit, a.size)
    else:
        h = zeros_like(load(at(a.bias, (0, 0)), 0))
    if a.keep.size:
        h = kept(h, a.keep, s.row0 + r)
    return h


@kernel
def previous_state(states, a, s, r, unit):
    """What the gates read of row r's states beside z: c_{t-1}, or h_{t-1} where h is all."""
    if states == 2 or a.c.shape[1]:
        prev = load(at(a.c, (s.before + r, unit)), 0)
        if a.masked and a.keep.size:
            prev = kept(prev, a.keep, s.row0 + r)
        return prev
    return load(at(a.u, (s.before + r, a.h_column + unit)), 0)


@kernel
def out_row(s, r):
    """Where row r's new states go."""
    return s.after + r if r < s.n_next else s.end + r


@kernel
def put_state(prev, state, a, s, r, unit):
    """Leave row r's state beside h, after zoneout."""
    if a.masked and a.zone_c.shape[0]:
        if a.fresh.shape[1]:
            store(at(a.fresh, (s.row0 + r, unit)), 0, state)
        state = zoned(state, prev, a.zone_c, s.row0 + r, unit)
    store(at(a.c, (out_row(s, r), unit)), 0, state)


@kernel
def put_h(states, h, a, s, r, unit):
    """Leave row r's h, after zoneout: in y, and in u as the next step reads it.

    Where there is no next step it stands in u as it is.
    """
    if a.masked and a.zone_h.shape[0]:
        h = zoned(h, previous_h(a, s, r, unit), a.zone_h, s.row0 + r, unit)
    store_unit(h, a.y, s.row0 + r, a.y_column, unit, a.size)
    if states == 1 and a.c.shape[1]:
        store(at(a.c, (out_row(s, r), unit)), 0, h)
    if a.masked and r < s.n_next:
        if a.drop.shape[0]:
            h = h * load(at(a.drop, (r, unit)), 0)
        if a.keep.size:
            h = kept(h, a.keep, s.next_row + r)
    store(at(a.u, (out_row(s, r), a.h_column + unit)), 0, h)
