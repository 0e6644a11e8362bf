"""One time step forward of a cell of one phase: z_t, and the gates on it."""

from __future__ import annotations

from typing import Any

from ...jit import kernel
from ...simd import PANEL, at, call_apart, gemm_tile, lanes, load, shift, store, store_n
from ..blocks import TILE, panels_at_once, row_block, strip_of, strips_of_panel
from .states import copy, out_row, previous_gate_state, previous_gate_states, put_h, put_state

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


def _gates_of_rows(apply: Any, slots: int, states: int) -> Any:
    """A kernel: the gates on m rows of `count` vectors of units.

    Rows of what it reads and writes are `…_ld` items apart. Vectors of units stand side by side,
    and their z in panels. y has only `y_units` units from the first one on.
    """
    units = PANEL // slots

    @kernel
    def gates_of_rows(
        m, count, z, z_ld, prev, prev_ld, save, saved, saved_ld, state_to, state_ld, h_to, h_ld, y,
        y_ld, y_units, constants, constants_ld,
    ):  # fmt: skip
        v = lanes(z)
        for i in range(m):
            for j in range(count):
                part = shift(z, i * z_ld + j * slots * v)
                place = shift(saved, j // units * saved_ld + (i * PANEL + j % units * slots) * v)
                before = load(prev, i * prev_ld + j * v)
                state, h = apply(part, before, save, place, constants, j * constants_ld)
                if states == 2:
                    store(state_to, i * state_ld + j * v, state)
                store(h_to, i * h_ld + j * v, h)
                if (j + 1) * v <= y_units:
                    store(y, i * y_ld + j * v, h)
                elif j * v < y_units:
                    store_n(y, i * y_ld + j * v, h, y_units - j * v)

    return gates_of_rows


@kernel
def _to_next_product(a, workspace, s, r, unit):
    """Where h goes from row r and `unit` on: into u, and into y; as `gates_of_rows` takes it."""
    y = at(a.y, (s.row0 + r, a.y_column + unit)), a.y.shape[1], a.size - unit
    return (at(a.u, (out_row(s, r), a.h_column + unit)), a.u.shape[1]), y


def store_states(states: int) -> Any:
    """A kernel that stores the new states for the next step and for the caller, with masks."""

    @kernel
    def both(prev, state, h, a, workspace, s, r, unit):
        put_state(prev, state, a, s, r, unit)
        put_h(2, h, a, s, r, unit)

    @kernel
    def only_h(prev, state, h, a, workspace, s, r, unit):
        put_h(1, h, a, s, r, unit)

    return both if states == 2 else only_h


def gates_step(
    gates: Any, slots: int, states: int, windows: tuple, constants: bool, store_results: Any,
    h_target: Any = None,
) -> Any:  # fmt: skip
    """A kernel (a, workspace, s, share, tile): z_t and the gates on it, for a share of a step.

    ``store_results(prev, state, h, a, workspace, s, r, unit)`` stores what the gates give. Without
    masks the gates store c themselves, and h where ``h_target(a, workspace, s, r, unit)`` says, if
    there is one: it gives (place, items of a row), and the same of y with the units y has.
    """
    units, strip = PANEL // slots, strip_of(windows)
    joined = windows[0] == PANEL or windows[0] == windows[2] == strip
    pre_activation = _pre_activation(windows)
    if constants:

        @kernel
        def apply(part, prev, save, place, constants, n):
            return gates(part, prev, save, place, shift(constants, n))

    else:

        @kernel
        def apply(part, prev, save, place, constants, n):
            return gates(part, prev, save, place)

    gates_of_rows = _gates_of_rows(apply, slots, states)

    @kernel
    def run_gates(a, s, r, m, p, count, tile, prev, state, h, y):
        """Each of the last four is (place, items of a row); y with its units, too."""
        v = lanes(tile)
        call_apart(
            gates_of_rows,
            (m, count * units, tile, count * PANEL * v, *prev, a.save, at(a.z, (p, s.z_row + r, 0)),
             a.z.shape[1] * PANEL * v, *state, *h, *y, at(a.constants, (p * units, 0)),
             a.constants.shape[1]),
        )  # fmt: skip

    @kernel
    def in_place(a, workspace, s, r, m, p, count, tile):
        unit = p * units * lanes(tile)
        prev = previous_gate_states(states, a, s, r, unit)
        state = (
            at(a.gate_state, (out_row(s, r), unit)) if states == 2 else tile,
            a.gate_state.shape[1],
        )
        h, y = h_target(a, workspace, s, r, unit)
        run_gates(a, s, r, m, p, count, tile, prev, state, h, y)

    @kernel
    def through_tile(a, workspace, s, r, m, p, count, tile):
        """With masks what the gates read and leave takes a detour: h in the place of z."""
        v = lanes(tile)
        n, ld, unit = count * units, count * PANEL * v, p * units * v
        prev, state = shift(tile, TILE // 3 * PANEL * v), shift(tile, TILE // 3 * 2 * PANEL * v)
        for i in range(m):
            for j in range(n):
                x = previous_gate_state(states, a, s, r + i, unit + j * v)
                store(prev, (i * n + j) * v, x)
        run_gates(
            a, s, r, m, p, count, tile, (prev, n * v), (state, n * v), (tile, ld), (tile, 0, 0)
        )
        for i in range(m):
            for j in range(n):
                k = (i * n + j) * v
                h = load(tile, i * ld + j * v)
                store_results(
                    load(prev, k), load(state, k), h, a, workspace, s, r + i, unit + j * v
                )

    if h_target is None:
        in_place = through_tile

    @kernel
    def finish(a, workspace, s, r, rows, p, count, tile):
        """The gates on all rows of the tile, and their results where those go."""
        if a.masked:
            through_tile(a, workspace, s, r, rows, p, count, tile)
            return
        # Rows that have a next step and those that have none go to different places.
        done = 0
        while done < rows:
            now = rows - done
            if r + done < s.n_next:
                now = min(now, s.n_next - r - done)
            z = shift(tile, done * count * PANEL * lanes(tile))
            in_place(a, workspace, s, r + done, now, p, count, z)
            done += now

    most = 1 if h_target is None else TILE

    @kernel
    def step(a, workspace, s, share, tile):
        width = PANEL * lanes(tile)
        p = share.p0
        while p < share.p1:
            count = 1
            if joined:
                count = panels_at_once(share.r1 - share.r0, share.p1 - p, strip)
            r = share.r0
            while r < share.r1:
                # As many blocks as the tile holds, so that few calls of the gates have long loops.
                rows, m = 0, row_block(share.r1 - r, strip)
                while rows == 0 or (m > 0 and (rows + m) * count <= most and not a.masked):
                    z = shift(tile, rows * count * width)
                    pre_activation(a, s, r + rows, m, p, count, z)
                    rows += m
                    m = row_block(share.r1 - r - rows, strip)
                finish(a, workspace, s, r, rows, p, count, tile)
                r += rows
            p += count

    return step


def plain_forward(
    gates: Any, slots: int, states: int, windows: tuple, constants: bool = False
) -> Any:
    """The phase of a cell of one phase; see `forward.forward_driver`."""
    store_results = store_states(states)
    step = gates_step(gates, slots, states, windows, constants, store_results, _to_next_product)

    @kernel
    def run(phase, a, workspace, s, share, tile):
        step(a, workspace, s, share, tile)

    return run
