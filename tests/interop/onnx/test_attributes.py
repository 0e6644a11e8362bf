"""Attributes of recurrent nodes: defaults, any case, and refusals that name node and attribute."""

from __future__ import annotations

import pytest

from numba_lstm.interop.onnx.activations import Activation
from numba_lstm.interop.onnx.attributes import read_attributes


def test_defaults_are_onnxs():
    a = read_attributes("n", "LSTM", {})
    assert (a.direction, a.directions, a.layout, a.clip) == ("forward", 1, 0, None)
    assert a.activations == ((Activation("Sigmoid"), Activation("Tanh"), Activation("Tanh")),)
    assert read_attributes("n", "GRU", {"direction": "bidirectional"}).directions == 2


def test_activations_come_in_any_case_and_constants_go_to_those_that_have_some():
    values = {
        "activations": ["TANH", "hardsigmoid", "Softsign"],
        "activation_alpha": [0.3],
        "activation_beta": [0.4],
    }
    (found,) = read_attributes("n", "LSTM", values).activations
    assert found == (
        Activation("Tanh"),
        Activation("HardSigmoid", 0.3, 0.4),
        Activation("Softsign"),
    )
    (found,) = read_attributes("n", "RNN", {"activations": ["HardSigmoid"]}).activations
    assert found == (Activation("HardSigmoid", 0.2, 0.5),)


def test_both_directions_have_activations_of_their_own_or_share_them():
    both = {"direction": "bidirectional", "activations": ["Relu", "Tanh"]}
    assert read_attributes("n", "RNN", both).activations == (
        (Activation("Relu"),), (Activation("Tanh"),)
    )  # fmt: skip
    shared = read_attributes("n", "RNN", both | {"activations": ["Relu"]})
    assert shared.activations == ((Activation("Relu"),),) * 2


@pytest.mark.parametrize(
    "operator, values, message",
    [
        ("LSTM", {"direction": "both"}, "attribute direction: expected one of forward, reverse"),
        ("LSTM", {"layout": 2}, "attribute layout: expected 0 or 1, got 2"),
        ("LSTM", {"clip": -1.0}, "attribute clip: expected a number above 0, got -1.0"),
        ("LSTM", {"clip": float("nan")}, "attribute clip: expected a number above 0, got nan"),
        ("LSTM", {"hidden_size": 0}, "attribute hidden_size: expected at least 1, got 0"),
        ("LSTM", {"linear_before_reset": 1}, "attribute linear_before_reset: not one of ONNX's"),
        ("GRU", {"input_forget": 1}, "attribute input_forget: not one of ONNX's GRU"),
        ("GRU", {"activations": ["Tanh"]}, "attribute activations: expected 2 names, got 1"),
        (
            "RNN",
            {"activations": ["ScaledTanh"], "activation_alpha": [1.0]},
            "attribute activation_beta: expected a number for ScaledTanh, got none",
        ),
        ("RNN", {"activations": ["Swish"]}, "attribute activations: expected some of Relu, "),
    ],
)
def test_what_onnx_does_not_have_is_refused_by_node_and_attribute(operator, values, message):
    with pytest.raises(ValueError, match=f"^n: {message}"):
        read_attributes("n", operator, values)
