"""Cells with a second product in a step: what is multiplied, what comes of it, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import draw
from gradcheck import assert_close
from kept_tool import back, kept_by, lanes_of, of_direction, slots_of, states_of
from lstm_tool import TOLERANCE

from numba_lstm import nn
from numba_lstm.reference.lstm import lstm_cell_backward

DTYPES = ["f4", "f8"]


def sizes(dtype):
    """T, B, H: about a vector's width and a panel's, with rows of several blocks."""
    v = lanes_of(dtype)
    return [(1, 1, 2), (4, 3, v), (3, 13, v + 1), (2, 2, 4 * v + 3)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_projected_h_is_the_product_of_all_units(rng, dtype):
    bound = TOLERANCE[np.dtype(dtype)]
    for steps, batch, hidden in sizes(dtype):
        for size in {1, hidden // 2, hidden - 1}:
            module = nn.LSTM(3, hidden, proj_size=size, bidirectional=True, dtype=dtype, seed=0)
            call, saved = kept_by(module, draw(rng, module, steps, batch))
            for number, kept in enumerate(saved):
                rows, w = kept.steps.rows, call.weights[number]
                after = kept.steps.after(number == 1)
                o = slots_of(kept.z, rows)[3]
                m, c = kept.workspace.m.astype("f8"), kept.gate_state.astype("f8")[after]
                assert_close(m[:, :hidden], (o * np.tanh(c))[:, :hidden], bound, "m")
                h = states_of(kept, w.padded_h)[after]
                expected = m[:, :hidden] @ of_direction(module, number)["weight_hr"].T
                assert_close(h[:, :size], expected, bound, "h")
                assert not m[:, hidden:].any() and not h[:, size:].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reset_gate_meets_h_before_the_product(rng, dtype):
    bound = TOLERANCE[np.dtype(dtype)]
    for steps, batch, hidden in sizes(dtype):
        module = nn.GRU(3, hidden, reset_after=False, bidirectional=True, dtype=dtype, seed=0)
        case = draw(rng, module, steps, batch)
        call, saved = kept_by(module, case)
        for number, kept in enumerate(saved):
            rows, w, p = kept.steps.rows, call.weights[number], of_direction(module, number)
            h = states_of(kept, w.padded_h)
            n, r, update, _ = slots_of(kept.z, rows)
            # The very numbers that were saved, in all units and zero in the padding.
            assert np.array_equal(kept.workspace.m, (r * h[:rows]).astype(dtype))
            h_prev, m = h[:rows, :hidden], kept.workspace.m[:, :hidden].astype("f8")
            of_x = case.x.reshape(rows, 3) @ p["weight_ih"].T.astype("f8") + p["bias_ih"]
            of_x = np.split(of_x, 3, axis=1)
            w_r, w_z, w_n = np.split(p["weight_hh"], 3)
            b_r, b_z, b_n = np.split(p["bias_hh"], 3)
            expected = (
                np.tanh(of_x[2] + m @ w_n.T + b_n),
                sigmoid(of_x[0] + h_prev @ w_r.T + b_r),
                sigmoid(of_x[1] + h_prev @ w_z.T + b_z),
            )
            for found, value in zip((n, r, update), expected):
                assert_close(found[:, :hidden], value, bound)
            new = (1 - update) * n + update * h[:rows]
            after = kept.steps.after(number == 1)
            assert_close(h[after][:, :hidden], new[:, :hidden], bound, "h")
            assert not h[:, hidden:].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_projected_cells_dz_is_the_equations(rng, dtype):
    bound = TOLERANCE[np.dtype(dtype)]
    for steps, batch, hidden in sizes(dtype):
        size = hidden // 2
        module = nn.LSTM(3, hidden, proj_size=size, bidirectional=True, dtype=dtype, seed=0)
        case = draw(rng, module, steps, batch)
        call, saved = kept_by(module, case)
        gates = [slots_of(kept.z, kept.steps.rows)[..., :hidden] for kept in saved]
        states = [kept.gate_state[:, :hidden].astype("f8") for kept in saved]
        back(call, case)
        for number, (kept, c) in enumerate(zip(saved, states)):
            p, dz = of_direction(module, number), slots_of(kept.z, kept.steps.rows)
            after = c[kept.steps.after(number == 1)]
            dh, dc = (d[number].astype("f8") for d in case.dstates)
            for t in range(steps)[:: 1 if number else -1]:
                rows = slice(t * batch, (t + 1) * batch)
                dh = dh + case.dy[t, :, number * size : (number + 1) * size]
                saved_gates = np.concatenate(gates[number][:, rows], axis=1)
                d, dc = lstm_cell_backward(
                    dh @ p["weight_hr"], dc, saved_gates, after[rows], c[: steps * batch][rows]
                )
                found = np.concatenate(dz[:, rows, :hidden], axis=1)
                assert_close(found, d, bound, f"dz of step {t}")
                dh = d @ p["weight_hh"]
            assert not dz[..., hidden:].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_dz_with_the_reset_gate_before_the_product_is_the_equations(rng, dtype):
    bound = TOLERANCE[np.dtype(dtype)]
    for steps, batch, hidden in sizes(dtype):
        module = nn.GRU(3, hidden, reset_after=False, bidirectional=True, dtype=dtype, seed=0)
        case = draw(rng, module, steps, batch)
        call, saved = kept_by(module, case)
        before = [slots_of(kept.z, kept.steps.rows)[..., :hidden] for kept in saved]
        _, dh0 = back(call, case)
        for number, kept in enumerate(saved):
            p, dz = of_direction(module, number), slots_of(kept.z, kept.steps.rows)
            w_r, w_z, w_n = np.split(p["weight_hh"], 3)
            states = states_of(kept, call.weights[number].padded_h)
            dh = case.dstates[0][number].astype("f8")
            for t in range(steps)[:: 1 if number else -1]:
                rows = slice(t * batch, (t + 1) * batch)
                n, r, z, _ = before[number][:, rows]
                h_prev = states[rows, :hidden]
                dh = dh + case.dy[t, :, number * hidden : (number + 1) * hidden]
                d_n, d_z = dh * (1 - z) * (1 - n * n), dh * (h_prev - n) * z * (1 - z)
                dm = d_n @ w_n
                d_r = dm * h_prev * r * (1 - r)
                for name, slot, value in (("n", 0, d_n), ("r", 1, d_r), ("z", 2, d_z)):
                    assert_close(dz[slot, rows, :hidden], value, bound, f"d{name} of step {t}")
                dh = dh * z + dm * r + d_r @ w_r + d_z @ w_z
            assert_close(dh0[number], dh, bound, "dh0")
            assert not dz[:3, :, hidden:].any()
