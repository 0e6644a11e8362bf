"""Layer normalisation in a cell, forward: of both products, and of c (Ba, Kiros & Hinton, 2016).

    zx = x_t·W_ihᵀ        zh = h_{t-1}·W_hhᵀ        z = LN(zx) + LN(zh) + b_ih + b_hh
    LN(v) = g ∘ v̂         v̂ = (v - mean(v)) / √(var(v) + ε)

Mean and variance are over all units of a group of gates, so they need what all threads computed.
A step has phases:

0. zx and zh of a share of the panels, into arrays that `backward` reads, too;
1. the moments of a row, z, and the gates on it: h, or for a cell with c, c and o;
2. for a cell with c: the moments of c, and h = o ∘ tanh(LN(c) + b_c).

Threads that share rows each compute the moments of all their rows. They get the same bits, and it
saves a wait. The plain lines are in `reference.layer_norm` and `reference.product`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...jit import kernel
from ...simd import (
    PANEL,
    at,
    fma,
    gemm_tile,
    hsum,
    lanes,
    load,
    load_n,
    scalar,
    shift,
    store,
    zeros_like,
)
from ..activations import tanh
from ..blocks import row_block, strip_of, strips_of_panel
from .states import previous_gate_state, put_h, put_state

__all__ = ["Groups", "group_of", "normal", "normalised_forward"]

EPSILON = 1e-5


class Groups(NamedTuple):
    """Which vectors of a unit are normalised together: pairs (first, count), of zx and of zh."""

    x: tuple[tuple[int, int], ...]
    h: tuple[tuple[int, int], ...]


@kernel
def _moments(z, stride, slot, count, hidden, scratch, out):
    """out[:2] = mean and 1/√(var + ε) of a row: of `count` vectors from `slot` on in each panel.

    `z` points to the row in panel 0, and panels are `stride` items apart. `scratch` is a vector.
    """
    v = lanes(z)
    vectors = (hidden + v - 1) // v
    total = zeros_like(load(z, slot * v))
    for n in range(vectors):
        for k in range(slot, slot + count):
            total = total + load(z, n * stride + k * v)
    mean = scalar(z, hsum(total) / (count * hidden))
    squares = zeros_like(total)
    for n in range(vectors):
        for k in range(slot, slot + count):
            x = load(z, n * stride + k * v) - mean
            if (n + 1) * v > hidden:  # x is -mean in the padding: count 0 there
                store(scratch, 0, x)
                x = load_n(scratch, 0, hidden - n * v)
            squares = fma(x, x, squares)
    out[0] = mean
    out[1] = scalar(z, 1.0 / math.sqrt(hsum(squares) / (count * hidden) + EPSILON))


@kernel
def normal(x, moments, group):
    """v̂ = (v - mean) / √(var + ε) of a group, by its moments."""
    return (x - moments[2 * group]) * moments[2 * group + 1]


def group_of(groups: tuple[tuple[int, int], ...], slots: int) -> tuple[int, ...]:
    """The number of each slot's group, -1 for none."""
    found = [-1] * slots
    for number, (first, count) in enumerate(groups):
        found[first : first + count] = [number] * count
    return tuple(found)


def _products(windows: tuple) -> Any:
    """Phase 0: zx and zh of a share."""
    x_count, h_first, h_count = windows
    strip = strip_of(windows)
    strips = strips_of_panel(strip)

    @kernel
    def products(a, workspace, s, share):
        v = lanes(workspace.zx)
        width = PANEL * v
        padded, w_strip = a.u.shape[1], a.w.shape[1] * a.w.shape[2]
        zeros = at(workspace.zeros, (0,))
        for p in range(share.p0, share.p1):
            r = share.r0
            while r < share.r1:
                m = row_block(share.r1 - r, strip)
                u, row = at(a.u, (s.before + r, 0)), s.workspace_row + r
                gemm_tile(
                    strip, m, x_count, u, padded, 1, 0, a.inputs, at(a.w, (p * strips, 0, 0)),
                    w_strip, zeros, 0, at(workspace.zx, (p, row, 0)), width,
                )  # fmt: skip
                gemm_tile(
                    strip, m, h_count, shift(u, a.h_column), padded, 1, 0, a.size,
                    at(a.w, (p * strips, a.inputs, 0)), w_strip, zeros, 0,
                    at(workspace.zh, (p, row, h_first * v)), width,
                )  # fmt: skip
                r += m

    return products


def _row_moments(groups: Groups) -> Any:
    """A kernel: the moments of a row's zx and zh."""
    of_x, of_h = len(groups.x), len(groups.h)
    x_groups, h_groups = groups

    @kernel
    def row_moments(workspace, row, hidden, scratch, out):
        stride = workspace.zx.shape[1] * workspace.zx.shape[2]
        for g in range(of_x):
            slot, count = x_groups[g]
            here = shift(out, 2 * g)
            _moments(at(workspace.zx, (0, row, 0)), stride, slot, count, hidden, scratch, here)
        for g in range(of_h):
            slot, count = h_groups[g]
            here = shift(out, 2 * (of_x + g))
            _moments(at(workspace.zh, (0, row, 0)), stride, slot, count, hidden, scratch, here)

    return row_moments


def _z_of_unit(groups: Groups, slots: int) -> Any:
    """A kernel: z of a vector of units, from zx, zh and the moments."""
    x_group, h_group = group_of(groups.x, slots), group_of(groups.h, slots)
    of_x = len(groups.x)

    @kernel
    def z_of_unit(a, workspace, row, n, moments, part):
        v = lanes(part)
        gains = at(a.constants, (n, 0))
        for slot in range(slots):
            z = load(at(a.bias, (n, slot * v)), 0)
            if x_group[slot] >= 0:
                x = normal(load(at(workspace.zx, (n, row, slot * v)), 0), moments, x_group[slot])
                z = fma(x, load(gains, slot * v), z)
            if h_group[slot] >= 0:
                h = load(at(workspace.zh, (n, row, slot * v)), 0)
                h = normal(h, moments, of_x + h_group[slot])
                z = fma(h, load(gains, (slots + slot) * v), z)
            store(part, slot * v, z)

    return z_of_unit


def normalised_forward(gates: Any, slots: int, states: int, windows: tuple, groups: Groups) -> Any:
    """The phases of a layer-normalised cell.

    Parameters
    ----------
    gates : kernel (z, prev, save, place) -> state, h
        As for `cell.plain_cell`; but for a cell with c the second result is o, which the gates
        also leave in the last slot at `place`. A panel holds one vector of units.
    """
    of_c = len(groups.x) + len(groups.h)
    products, row_moments = _products(windows), _row_moments(groups)
    z_of_unit = _z_of_unit(groups, slots)

    if states == 2:

        @kernel
        def store_results(prev, state, h, a, workspace, s, r, unit):
            store(at(workspace.c, (s.workspace_row + r, unit)), 0, state)
            put_state(prev, state, a, s, r, unit)

    else:

        @kernel
        def store_results(prev, state, h, a, workspace, s, r, unit):
            put_h(1, h, a, s, r, unit)

    @kernel
    def gates_of_rows(a, workspace, s, share, tile):
        v = lanes(tile)
        part, scratch = shift(tile, 4 * PANEL * v), shift(tile, 8 * PANEL * v)
        for r in range(share.r0, share.r1):
            row = s.workspace_row + r
            row_moments(workspace, row, a.hidden, scratch, tile)
            if share.column == 0:
                for i in range(2 * of_c):
                    workspace.moments[row, i] = tile[i]
            for n in range(share.p0, share.p1):
                z_of_unit(a, workspace, row, n, tile, part)
                prev = previous_gate_state(states, a, s, r, n * v)
                state, h = gates(part, prev, True, at(a.z, (n, s.z_row + r, 0)))
                store_results(prev, state, h, a, workspace, s, r, n * v)

    @kernel
    def finish(a, workspace, s, share, tile):
        v = lanes(tile)
        scratch = shift(tile, 8 * PANEL * v)
        for r in range(share.r0, share.r1):
            row = s.workspace_row + r
            _moments(at(workspace.c, (row, 0)), v, 0, 1, a.hidden, scratch, tile)
            if share.column == 0:
                workspace.moments[row, 2 * of_c] = tile[0]
                workspace.moments[row, 2 * of_c + 1] = tile[1]
            for n in range(share.p0, share.p1):
                of_unit = at(a.constants, (n, 2 * slots * v))
                c = normal(load(at(workspace.c, (row, n * v)), 0), tile, 0)
                c = tanh(fma(c, load(of_unit, 0), load(of_unit, v)))
                o = load(at(a.z, (n, s.z_row + r, (slots - 1) * v)), 0)
                put_h(2, o * c, a, s, r, n * v)

    @kernel
    def run(phase, a, workspace, s, share, tile):
        if phase == 0:
            products(a, workspace, s, share)
        elif phase == 1:
            gates_of_rows(a, workspace, s, share, tile)
        else:
            finish(a, workspace, s, share, tile)

    @kernel
    def run_one_state(phase, a, workspace, s, share, tile):
        if phase == 0:
            products(a, workspace, s, share)
        else:
            gates_of_rows(a, workspace, s, share, tile)

    return run if states == 2 else run_one_state
