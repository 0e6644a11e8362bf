"""One node with its weights: sizes of 0, and inputs that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.interop.onnx.attributes import read_attributes
from numba_lstm.interop.onnx.layer import Layer
from numba_lstm.interop.onnx.node_weights import check_weights


def layer(operator="LSTM", **attributes):
    rng = np.random.default_rng(0)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
    shapes = (1, 4 * gates, 3), (1, 4 * gates, 4)
    weights = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    read = read_attributes("n", operator, attributes)
    return Layer(read, check_weights(read, *weights))


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("activations", [None, ["Softsign"] * 3])
def test_no_steps_leave_the_states_and_no_sequences_give_none(operator, activations):
    options = {}
    if activations:
        options["activations"] = activations[: {"LSTM": 3, "GRU": 2, "RNN": 1}[operator]]
    made = layer(operator, **options)
    h0 = np.ones((1, 2, 4), np.float32)
    y, hn, _ = made.run(np.zeros((0, 2, 3), np.float32), None, h0)
    assert y.shape == (0, 1, 2, 4) and np.array_equal(hn, h0)
    hn[...] = 5
    assert (h0 == 1).all()
    y, hn, cn = made.run(np.zeros((6, 0, 3), np.float32))
    assert y.shape == (6, 1, 0, 4) and hn.shape == cn.shape == (1, 0, 4)


def test_no_sequence_of_any_step_leaves_the_states():
    h0 = np.ones((1, 2, 4), np.float32)
    y, hn, cn = layer().run(np.ones((3, 2, 3), np.float32), np.zeros(2, np.int32), h0, 2 * h0)
    assert not y.any() and np.array_equal(hn, h0) and np.array_equal(cn, 2 * h0)


@pytest.mark.parametrize("shape", [(2, 3), (5, 2, 4), (3,), (1, 5, 2, 3)])
def test_an_input_that_does_not_fit_is_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"n: input X: expected shape \(T, B, 3\), got"):
        layer().run(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match=r"n: input X: expected shape \(B, T, 3\), got"):
        layer(layout=1).run(np.zeros(shape, np.float32))


def test_padding_changes_nothing():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    lengths = np.int32([5, 2])
    for options in ({}, {"activations": ["Softsign", "Tanh", "Tanh"]}, {"direction": "reverse"}):
        made = layer(**options)
        wanted = made.run(x, lengths)
        padded = x.copy()
        padded[2:, 1] = np.nan
        for one, other in zip(made.run(padded, lengths), wanted):
            assert np.array_equal(one, other), options
