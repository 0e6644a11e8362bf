"""Cells with a second product in a step, m·W₂ᵀ:

- a projected LSTM (Sak, Senior & Beaufays, 2014): m = o ∘ tanh(c), h = m·W_hrᵀ;
- a GRU whose reset gate comes before the product: m = r ∘ h_prev, and n needs m·W_hnᵀ.

The product needs m of all units, so a step has two phases: the first writes m (H columns), the
second computes h from m·W₂ᵀ. The plain lines are in `reference.lstm_cell` and `reference.gru_cell`.
"""

from __future__ import annotations

from typing import Any

from ...jit import kernel
from ...simd import PANEL, STRIP, at, gemm_tile, lanes, load, shift, store
from ..blocks import row_block
from .backward_step import (
    back_through_masks,
    clear_padding,
    dh_phase,
    fill_dh,
    gates_step_back,
    over_blocks,
)
from .forward_step import gates_step
from .states import previous_gate_state, put_h, put_state

__all__ = [
    "projected_backward",
    "projected_forward",
    "reset_before_backward",
    "reset_before_forward",
]


def _second_phase(finish: Any) -> Any:
    """A phase: m·W₂ᵀ of a share; ``finish(x, a, workspace, s, r, unit)`` gets each vector x."""

    @kernel
    def second(a, workspace, s, share, tile):
        v = lanes(tile)
        width = PANEL * v
        m = workspace.m
        for p in range(share.h0, share.h1):
            nv = min(PANEL, a.h_width // v - p * PANEL)
            r = share.r0
            while r < share.r1:
                rows = row_block(share.r1 - r, STRIP)
                gemm_tile(
                    STRIP, rows, nv, at(m, (s.workspace_row + r, 0)), m.shape[1], 1, 0,
                    workspace.w.shape[1], at(workspace.w, (p * (PANEL // STRIP), 0, 0)),
                    workspace.w.shape[1] * STRIP * v, at(workspace.zeros, (0,)), 0, tile, nv * v,
                )  # fmt: skip
                for i in range(rows):
                    for j in range(nv):
                        unit = p * width + j * v
                        finish(load(shift(tile, (i * nv + j) * v), 0), a, workspace, s, r + i, unit)
                r += rows

    return second


def _two_phases(step: Any, second: Any) -> Any:
    """A kernel that runs `step` as phase 0 and `second` as phase 1."""

    @kernel
    def run(phase, a, workspace, s, share, tile):
        if phase == 0:
            step(a, workspace, s, share, tile)
        else:
            second(a, workspace, s, share, tile)

    return run


def projected_forward(gates: Any, slots: int, windows: tuple, constants: bool) -> Any:
    """Two phases of a projected cell: m and c, then h."""

    @kernel
    def store_results(prev, state, h, a, workspace, s, r, unit):
        put_state(prev, state, a, s, r, unit)
        store(at(workspace.m, (s.workspace_row + r, unit)), 0, h)

    @kernel
    def finish(x, a, workspace, s, r, unit):
        put_h(2, x, a, s, r, unit)

    @kernel
    def to_second_product(a, workspace, s, r, unit):
        m = at(workspace.m, (s.workspace_row + r, unit))
        return (m, workspace.m.shape[1]), (m, 0, 0)

    step = gates_step(gates, slots, 2, windows, constants, store_results, to_second_product)
    return _two_phases(step, _second_phase(finish))


def reset_before_forward(gates: Any, finish_gates: Any, slots: int, windows: tuple) -> Any:
    """Two phases of a cell of one state: m = r ∘ h_prev, then h.

    The first gates give r. The second, ``finish_gates(x, h_prev, save, place)``, get x = m·W₂ᵀ and
    what the first ones left at `place`. A panel holds one vector of units.
    """

    @kernel
    def store_results(prev, state, r_gate, a, workspace, s, r, unit):
        h_in = load(at(a.u, (s.before + r, a.h_column + unit)), 0)
        store(at(workspace.m, (s.workspace_row + r, unit)), 0, r_gate * h_in)

    @kernel
    def finish(x, a, workspace, s, r, unit):
        place = at(a.z, (unit // lanes(a.z), s.z_row + r, 0))
        prev = previous_gate_state(1, a, s, r, unit)
        put_h(1, finish_gates(x, prev, a.save, place), a, s, r, unit)

    step = gates_step(gates, slots, 1, windows, False, store_results)
    return _two_phases(step, _second_phase(finish))


def projected_backward(gates: Any, slots: int, windows: tuple, constants: bool) -> Any:
    """Two phases: dh_t into ``workspace.dh``; then dm = dh_t·W_hr and the gates' derivatives."""
    first_phase = dh_phase(windows, whole=True)

    @kernel
    def fill(a, workspace, s, vector, nv, r, m, tile):
        v = lanes(tile)
        gemm_tile(
            STRIP, m, nv, at(workspace.dh, (s.row0 + r, 0)), workspace.dh.shape[1], 1, 0, a.size,
            at(workspace.w, (vector // STRIP, 0, vector % STRIP * v)), a.size * STRIP * v,
            at(workspace.zeros, (0,)), 0, tile, nv * v,
        )  # fmt: skip

    return _two_phases(first_phase, gates_step_back(fill, gates, slots, constants))


def reset_before_backward(gates: Any, finish_gates: Any, slots: int, windows: tuple) -> Any:
    """Two phases: the derivatives that need no second product, then that of r.

    With m = r ∘ h_in, dm is dz of n (in slot 0) times W_hn. ``finish_gates(place, dm, h_in)``
    overwrites r by its dz and gives the gradient of h_in, which adds to d_gate_state.
    """

    @kernel
    def body(a, workspace, s, vector, nv, r, m, tile):
        v = lanes(tile)
        width = PANEL * v
        gemm_tile(
            STRIP, m, nv, at(a.z, (0, s.row0 + r, 0)), width, a.z.shape[0], a.z.shape[1] * width, v,
            at(workspace.w, (vector // STRIP, 0, vector % STRIP * v)),
            workspace.w.shape[1] * STRIP * v, at(workspace.zeros, (0,)), 0, tile, nv * v,
        )  # fmt: skip
        for i in range(m):
            row = s.row0 + r + i
            for j in range(nv):
                unit = (vector + j) * v
                place = at(a.z, (vector + j, row, 0))
                h_in = load(at(a.u, (row, a.h_column + unit)), 0)
                d = finish_gates(place, load(tile, (i * nv + j) * v), h_in)
                if unit + v > a.hidden:
                    # Slot 0 is done already, and other threads still read it.
                    clear_padding(shift(place, v), 1, a.hidden - unit)
                if a.masked:
                    d = back_through_masks(d, a, row, r + i, unit)
                past = at(a.d_gate_state, (r + i, unit))
                store(past, 0, load(past, 0) + d)

    step = gates_step_back(fill_dh(windows), gates, slots, False)
    return _two_phases(step, over_blocks(body))
