"""One time step forward of a cell of one phase: z_t, and the gates on it."""

from __future__ import annotations

from typing import Any

from ...jit import kernel
from ...simd import PANEL, at, gemm_tile, lanes, shift
from ..blocks import panels_at_once, row_block, strip_of, strips_of_panel
from .states import copy, previous_gate_state, put_h, put_state

FUSED, PROJECTED, TOKENS = 0, 1, 2

__all__ = ["FUSED", "PROJECTED", "TOKENS", "gates_step", "plain_forward", "store_states"]


def _pre_activation(windows: tuple) -> Any:
    """A kernel: z_t = x_t·W_ihᵀ + b + h_{t-1}·W_hhᵀ into the tile.

    It takes m rows from r and `count` panels from p on. The inputs reach the first x_count vectors
    of a panel. The state reaches h_count of them from h_first on. `windows` holds the three.
    """
    x_count, h_first, h_count = windows
    strip = strip_of(windows)
    strips = strips_of_panel(strip)
    whole = x_count == PANEL

    @kernel
    def pre_activation(a, s, r, m, p, count, tile):
        v = lanes(tile)
        width = PANEL * v
        u, w, bias = at(a.u, (s.before + r, 0)), at(a.w, (p * strips, 0, 0)), at(a.bias, (p, 0))
        padded, k = a.u.shape[1], a.w.shape[1]
        w_strip = k * a.w.shape[2]
        ldc = count * width
        if a.source == FUSED and whole:
            # tile = u @ w[p] + bias[p], with u = [x_t, h_{t-1}]
            gemm_tile(strip, m, count * PANEL, u, padded, 1, 0, k, w, w_strip, bias, 0, tile, ldc)
            return
        # tile = x_t @ w[p, :I] + bias[p], or the same from `input_part`
        if a.source == FUSED:
            for i in range(m):
                for j in range(count):
                    to = (i * count + j) * width + x_count * v
                    copy(shift(bias, j * width + x_count * v), shift(tile, to), width - x_count * v)
            gemm_tile(
                strip, m, count * x_count, u, padded, 1, 0, a.inputs, w, w_strip, bias, 0, tile,
                ldc,
            )  # fmt: skip
        else:
            for i in range(m):
                row = s.row0 + r + i
                if a.source == TOKENS:
                    row = a.tokens[row]
                for j in range(count):
                    part = at(a.input_part, (p + j, row, 0))
                    copy(part, shift(tile, (i * count + j) * width), width)
        # tile[h_first:] += h_{t-1} @ w[p, I:]
        target = shift(tile, h_first * v)
        gemm_tile(
            strip, m, count * h_count, shift(u, a.h_column), padded, 1, 0, a.size,
            at(a.w, (p * strips, a.inputs, 0)), w_strip, target, ldc, target, ldc,
        )  # fmt: skip

    return pre_activation


def store_states(states: int) -> Any:
    """A kernel that stores the new states for the next step and for the caller."""

    @kernel
    def both(prev, state, h, a, workspace, s, r, unit):
        put_state(prev, state, a, s, r, unit)
        put_h(2, h, a, s, r, unit)

    @kernel
    def only_h(prev, state, h, a, workspace, s, r, unit):
        put_h(1, h, a, s, r, unit)

    return both if states == 2 else only_h


def gates_step(
    gates: Any, slots: int, states: int, windows: tuple, constants: bool, store_results: Any
) -> Any:
    """A kernel (a, workspace, s, share, tile): z_t and the gates on it, for a share of a step.

    ``store_results(prev, state, h, a, workspace, s, r, unit)`` stores what the gates give.
    """
    units, strip = PANEL // slots, strip_of(windows)
    joined = windows[0] == PANEL or windows[0] == windows[2] == strip
    pre_activation = _pre_activation(windows)
    if constants:

        @kernel
        def apply(a, n, part, prev, place):
            return gates(part, prev, a.save, place, at(a.constants, (n, 0)))

    else:

        @kernel
        def apply(a, n, part, prev, place):
            return gates(part, prev, a.save, place)

    @kernel
    def step(a, workspace, s, share, tile):
        v = lanes(tile)
        width = PANEL * v
        p = share.p0
        while p < share.p1:
            count = 1
            if joined:
                count = panels_at_once(share.r1 - share.r0, share.p1 - p, strip)
            r = share.r0
            while r < share.r1:
                m = row_block(share.r1 - r, strip)
                pre_activation(a, s, r, m, p, count, tile)
                for i in range(m):
                    for j in range(count * units):
                        n = p * units + j
                        part = shift(tile, i * count * width + j * slots * v)
                        place = at(a.z, (n // units, s.z_row + r + i, n % units * slots * v))
                        prev = previous_gate_state(states, a, s, r + i, n * v)
                        state, h = apply(a, n, part, prev, place)
                        store_results(prev, state, h, a, workspace, s, r + i, n * v)
                r += m
            p += count

    return step


def plain_forward(
    gates: Any, slots: int, states: int, windows: tuple, constants: bool = False
) -> Any:
    """The phase of a cell of one phase; see `forward.forward_driver`."""
    step = gates_step(gates, slots, states, windows, constants, store_states(states))

    @kernel
    def run(phase, a, workspace, s, share, tile):
        step(a, workspace, s, share, tile)

    return run
