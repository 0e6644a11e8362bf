"""The order of gates in ONNX's weights."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.interop.onnx.export_weights import to_onnx


@pytest.mark.parametrize(
    "letters, order", [("ifgo", "iofg"), ("rzn", "zrn"), ("h", "h")], ids=["lstm", "gru", "rnn"]
)
def test_gates_stand_in_onnxs_order_in_both_directions(letters, order):
    rows = {gate: np.array([1.0, 2.0]) + 10 * k for k, gate in enumerate(letters)}
    column = np.concatenate([rows[gate] for gate in letters])
    wanted = np.concatenate([rows[gate] for gate in order])
    parameters = {}
    for suffix, sign in (("", 1), ("_reverse", -1)):
        parameters |= {
            f"weight_ih_l3{suffix}": sign * np.stack([column] * 3, axis=1),
            f"weight_hh_l3{suffix}": sign * np.stack([column + 0.5] * 2, axis=1),
            f"bias_ih_l3{suffix}": sign * (column + 0.25),
            f"bias_hh_l3{suffix}": sign * (column + 0.125),
        }
    found = to_onnx(parameters, layer=3)
    assert list(found) == ["W", "R", "B"]
    for k, sign in enumerate((1, -1)):
        assert np.array_equal(found["W"][k], sign * np.stack([wanted] * 3, axis=1))
        assert np.array_equal(found["R"][k], sign * np.stack([wanted + 0.5] * 2, axis=1))
        both = np.concatenate([wanted + 0.25, wanted + 0.125])
        assert np.array_equal(found["B"][k], sign * both)


def test_peepholes_stand_in_the_order_i_o_f():
    parameters = {
        "weight_ih_l0": np.zeros((8, 3)),
        "weight_hh_l0": np.zeros((8, 2)),
        "weight_peephole_l0": np.array([1, 2, 11, 12, 21, 22.0]),  # i, f, o
    }
    found = to_onnx(parameters)
    assert list(found) == ["W", "R", "P"]
    assert found["P"].tolist() == [[1, 2, 21, 22, 11, 12]]
