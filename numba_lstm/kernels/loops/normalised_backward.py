"""Layer normalisation in a cell, backward.

For y = g ∘ v̂ with v̂ = (v - mean(v))·s, and with d = dy ∘ g and means over the group:

    dv = s·(d - mean(d) - v̂·mean(d ∘ v̂))        dg = Σ dy ∘ v̂

The means are over all units, so a step has phases. Of a cell with c there are five:

0. dh_t of all units;
1. mean(d) and mean(d ∘ ĉ) of LN(c);
2. dc_t, and dz by the gates;
3. mean(d) and mean(d ∘ v̂) of LN(zx) and LN(zh), both with dy = dz;
4. d zx, which overwrites dz, and d zh, which overwrites zh.

Of a cell without c there are three: dz by the gates, and the last two. Then d zx multiplies W_ih
and x, and d zh multiplies W_hh and h_{t-1}. The gradients of gains and biases are sums over all
rows. Each row of the batch has its own partial sums, so the result does not depend on how threads
share rows; the caller adds them up.
"""

from __future__ import annotations

from typing import Any

from ...jit import kernel
from ...simd import at, fma, hsum, lanes, load, scalar, shift, store, zeros_like
from ..activations import tanh
from ..blocks import first
from .backward_step import (
    clear_padding,
    dh_phase,
    fill_dh,
    gates_step_back,
    saved_gate_state,
    state_gradient,
    store_state_gradient,
)
from .normalised import Groups, group_of, normal

__all__ = ["normalised_backward", "numbers_of_unit"]


def numbers_of_unit(slots: int) -> int:
    """How many partial sums a unit has; see `arguments.NormBack.sums`."""
    return 3 * slots + 2


@kernel
def _rows_of_thread(share):
    """This thread's part of the rows of a share, for what is done once a row."""
    rows = share.r1 - share.r0
    r0 = share.r0 + first(share.column, share.columns, rows)
    return r0, share.r0 + first(share.column + 1, share.columns, rows)


@kernel
def _add_to(place, x):
    """``place[:V] += x``"""
    store(place, 0, load(place, 0) + x)


def _through_c(slots: int, of_c: int, gates: Any) -> tuple[Any, Any]:
    """Phases 1 and 2, back through h = o ∘ tanh(LN(c) + b_c)."""
    per_unit = numbers_of_unit(slots)

    @kernel
    def parts(a, workspace, row, r, n):
        """tanh(LN(c) + b_c), ĉ, d LN(c) and dĉ = d LN(c) ∘ g_c."""
        v = lanes(workspace.c)
        numbers = at(a.constants, (n, 2 * slots * v))
        moments = at(workspace.moments, (row, 2 * of_c))
        c = normal(load(at(workspace.c, (row, n * v)), 0), moments, 0)
        t = tanh(fma(c, load(numbers, 0), load(numbers, v)))
        o = load(at(a.z, (n, row, (slots - 1) * v)), 0)
        d = load(at(workspace.dh, (r, n * v)), 0) * o * (1.0 - t * t)
        return t, c, d, d * load(numbers, 0)

    @kernel
    def means(a, workspace, s, share):
        r0, r1 = _rows_of_thread(share)
        for r in range(r0, r1):
            sum_d = sum_dv = zeros_like(load(at(workspace.c, (s.row0 + r, 0)), 0))
            for n in range(a.z.shape[0]):
                _, c, _, d = parts(a, workspace, s.row0 + r, r, n)
                sum_d, sum_dv = sum_d + d, fma(d, c, sum_dv)
            workspace.means[r, 2 * of_c] = scalar(workspace.c, hsum(sum_d) / a.hidden)
            workspace.means[r, 2 * of_c + 1] = scalar(workspace.c, hsum(sum_dv) / a.hidden)

    @kernel
    def gates_back(a, workspace, s, share):
        v = lanes(workspace.c)
        for r in range(share.r0, share.r1):
            row = s.row0 + r
            mean_d, mean_dc = workspace.means[r, 2 * of_c], workspace.means[r, 2 * of_c + 1]
            scale = workspace.moments[row, 2 * of_c + 1]
            for n in range(share.p0, share.p1):
                unit = n * v
                t, c, d_norm, d_normal = parts(a, workspace, row, r, n)
                sums = at(workspace.sums, (r, (n * per_unit + 2 * slots) * v))
                _add_to(sums, d_norm * c)
                _add_to(shift(sums, v), d_norm)
                d, past = state_gradient(a, row, r, unit)
                d = d + (d_normal - mean_d - c * mean_dc) * scale
                place = at(a.z, (n, row, 0))
                do = load(at(workspace.dh, (r, unit)), 0) * t
                d_prev = gates(place, do, saved_gate_state(a, row, unit), d)
                store_state_gradient(d_prev + past, a, row, r, unit)
                if unit + v > a.hidden:
                    clear_padding(place, slots, a.hidden - unit)

    return means, gates_back


def _means_of_groups(slots: int, groups: Groups) -> Any:
    """A phase: mean(d) and mean(d ∘ v̂) of each group of zx and zh, d = dz ∘ g."""
    of_x = len(groups.x)
    x_groups, h_groups = groups

    @kernel
    def of_group(a, z, row, r, slot, count, gain, moments, group, means):
        v = lanes(z)
        sum_d = sum_dv = zeros_like(load(at(z, (0, row, slot * v)), 0))
        for n in range(z.shape[0]):
            gains = at(a.constants, (n, gain * v))
            for k in range(slot, slot + count):
                d = load(at(a.z, (n, row, k * v)), 0) * load(gains, k * v)
                sum_d = sum_d + d
                sum_dv = fma(d, normal(load(at(z, (n, row, k * v)), 0), moments, group), sum_dv)
        items = count * a.hidden
        means[r, 2 * group] = scalar(z, hsum(sum_d) / items)
        means[r, 2 * group + 1] = scalar(z, hsum(sum_dv) / items)

    @kernel
    def means(a, workspace, s, share):
        r0, r1 = _rows_of_thread(share)
        for r in range(r0, r1):
            row = s.row0 + r
            moments = at(workspace.moments, (row, 0))
            for g in range(of_x):
                slot, count = x_groups[g]
                of_group(a, workspace.zx, row, r, slot, count, 0, moments, g, workspace.means)
            for g in range(len(h_groups)):
                slot, count = h_groups[g]
                of_group(
                    a, workspace.zh, row, r, slot, count, slots, moments, of_x + g, workspace.means
                )

    return means


def _through_norms(slots: int, groups: Groups) -> Any:
    """The last phase: d zx, d zh, and the sums of dz and of dz ∘ v̂ for zx and for zh."""
    x_group, h_group = group_of(groups.x, slots), group_of(groups.h, slots)
    of_x = len(groups.x)
    per_unit = numbers_of_unit(slots)

    @kernel
    def through(a, workspace, s, share):
        v = lanes(a.z)
        for r in range(share.r0, share.r1):
            row = s.row0 + r
            moments, means = at(workspace.moments, (row, 0)), at(workspace.means, (r, 0))
            for n in range(share.p0, share.p1):
                place, of_h = at(a.z, (n, row, 0)), at(workspace.zh, (n, row, 0))
                of_a = at(workspace.zx, (n, row, 0))
                gains = at(a.constants, (n, 0))
                sums = at(workspace.sums, (r, n * per_unit * v))
                for slot in range(slots):
                    dz = load(place, slot * v)
                    _add_to(shift(sums, (2 * slots + 2 + slot) * v), dz)
                    if x_group[slot] >= 0:
                        g = x_group[slot]
                        x = normal(load(of_a, slot * v), moments, g)
                        _add_to(shift(sums, slot * v), dz * x)
                        d = dz * load(gains, slot * v) - means[2 * g] - x * means[2 * g + 1]
                        store(place, slot * v, d * moments[2 * g + 1])
                    if h_group[slot] >= 0:
                        g = of_x + h_group[slot]
                        x = normal(load(of_h, slot * v), moments, g)
                        _add_to(shift(sums, (slots + slot) * v), dz * x)
                        d = dz * load(gains, (slots + slot) * v)
                        d = d - means[2 * g] - x * means[2 * g + 1]
                        store(of_h, slot * v, d * moments[2 * g + 1])
                if (n + 1) * v > a.hidden:
                    clear_padding(place, slots, a.hidden - n * v)
                    clear_padding(of_h, slots, a.hidden - n * v)

    return through


def normalised_backward(gates: Any, slots: int, states: int, windows: tuple, groups: Groups) -> Any:
    """The phases of a layer-normalised cell, backward.

    `gates` (place, dh, prev, d_state) -> d_prev as for `cell.plain_cell`; but a cell with c gets
    do instead of dh, and all of dc_t in d_state.
    """
    means, through = _means_of_groups(slots, groups), _through_norms(slots, groups)

    if states == 1:
        step = gates_step_back(fill_dh(windows), gates, slots, False)

        @kernel
        def run_one_state(phase, a, workspace, s, share, tile):
            if phase == 0:
                step(a, workspace, s, share, tile)
            elif phase == 1:
                means(a, workspace, s, share)
            else:
                through(a, workspace, s, share)

        return run_one_state

    arrive = dh_phase(windows, whole=False)
    cell_means, gates_back = _through_c(slots, len(groups.x) + len(groups.h), gates)

    @kernel
    def run(phase, a, workspace, s, share, tile):
        if phase == 0:
            arrive(a, workspace, s, share, tile)
        elif phase == 1:
            cell_means(a, workspace, s, share)
        elif phase == 2:
            gates_back(a, workspace, s, share)
        elif phase == 3:
            means(a, workspace, s, share)
        else:
            through(a, workspace, s, share)

    return run
