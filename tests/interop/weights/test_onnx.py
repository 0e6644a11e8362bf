"""ONNX's arrays, both ways: exact, and the same function in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_tool import run_onnx

from numba_lstm import nn
from numba_lstm.interop import weights

MODULES = [
    (nn.LSTM, {}, {}),
    (nn.LSTM, {"peepholes": True}, {}),
    (nn.LSTM, {"bias": False}, {}),
    (nn.GRU, {}, {"linear_before_reset": 1}),
    (nn.GRU, {"reset_after": False}, {"linear_before_reset": 0}),
    (nn.RNN, {}, {}),
]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "options", "attributes"), MODULES)
def test_onnxruntime_computes_the_same(rng, kind, options, attributes, both):
    module = kind(3, 5, bidirectional=both, **options, seed=0)
    arrays = {k.lower(): v for k, v in weights.to_onnx(module.state_dict()).items()}
    x = rng.standard_normal((4, 2, 3)).astype("f4")
    states = ["", "", "p"] if "p" in arrays else []
    direction = "bidirectional" if both else "forward"
    y, *_ = run_onnx(
        kind.__name__, {"x": x, **arrays}, states, 1, hidden_size=5, direction=direction,
        **attributes,
    )  # fmt: skip
    expected = module(x)[0].reshape(4, 2, 1 + both, 5).swapaxes(1, 2)
    np.testing.assert_allclose(y, expected, atol=2e-6)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "options", "attributes"), MODULES)
def test_arrays_come_back_exactly_both_ways(kind, options, attributes, both):
    module = kind(3, 5, bidirectional=both, **options, seed=0)
    arrays = weights.to_onnx(module.state_dict())
    back = weights.from_onnx(**arrays, layer=2)
    expected = {name.replace("_l0", "_l2"): v for name, v in module.state_dict().items()}
    assert back.keys() == expected.keys()
    assert all(np.array_equal(back[name], expected[name]) for name in back)
    again = weights.to_onnx(back, layer=2)
    assert arrays.keys() == again.keys()
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


def test_blocks_stand_in_onnxs_order():
    w = np.repeat(np.arange(4.0), 2)[None, :, None]  # i, o, f, c
    r = np.ones((1, 8, 2))
    found = weights.from_onnx(w, r, P=np.repeat(np.arange(3.0), 2)[None])
    assert found["weight_ih_l0"][:, 0].tolist() == [0, 0, 2, 2, 3, 3, 1, 1]
    assert found["weight_peephole_l0"].tolist() == [0, 0, 2, 2, 1, 1]
    assert set(found) == {"weight_ih_l0", "weight_hh_l0", "weight_peephole_l0"}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"W": np.ones((1, 20, 3)), "R": np.ones((20, 5))}, r"^R: expected shape \(D, G·H, H\)"),
        ({"W": np.ones((1, 20, 3)), "R": np.ones((3, 20, 5))}, "^R: expected 1 or 2 directions"),
        ({"W": np.ones((1, 20, 3)), "R": np.ones((1, 10, 5))}, "^R: expected 4 .* 5 units, got 10"),
        ({"W": np.ones((2, 20, 3)), "R": np.ones((1, 20, 5))}, r"^W: expected shape \(1, 20, I\)"),
        (
            {"W": np.ones((1, 20, 3)), "R": np.ones((1, 20, 5)), "B": np.ones((1, 20))},
            r"^B: expected shape \(1, 40\)",
        ),
        (
            {"W": np.ones((1, 15, 3)), "R": np.ones((1, 15, 5)), "P": np.ones((1, 15))},
            "^P: expected None",
        ),
    ],
)
def test_an_array_that_does_not_fit_is_named(arrays, words):
    with pytest.raises(ValueError, match=words):
        weights.from_onnx(**arrays)
