"""Weights of a node that do not fit are refused, naming the node and the input."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_nodes_tool import Node, make_model

from numba_lstm.interop import onnx as interop

pytest.importorskip("onnx")


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("W", None, "input W: expected weights, got none"),
        ("R", None, "input R: expected weights, got none"),
        ("W", (1, 15, 3), r"input W: expected shape \(1, 16, I\), got \(1, 15, 3\)"),
        ("R", (1, 16, 5), r"input R: expected shape \(1, 20, 5\), got \(1, 16, 5\)"),
        ("B", (1, 16), r"input B: expected shape \(1, 32\), got \(1, 16\)"),
        ("P", (1, 16), r"input P: expected shape \(1, 12\), got \(1, 16\)"),
        ("W", (16, 3), r"input W: expected shape \(1, 16, I\), got \(16, 3\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_node_and_input(name, value, message):
    arrays = {"X": (5, 2, 3), "W": (1, 16, 3), "R": (1, 16, 4)}
    arrays = {key: np.zeros(shape, np.float32) for key, shape in arrays.items()}
    if value is None:
        del arrays[name]
    else:
        arrays[name] = np.zeros(value, np.float32)
    model = make_model(Node("LSTM", arrays, {}, 14))
    for use in (interop.session, interop.load, lambda m: interop.load(m, node="it")):
        with pytest.raises(ValueError, match=rf"^model: node 'it' \(LSTM\): {message}"):
            use(model)


def test_a_wrong_hidden_size_is_refused():
    arrays = {"X": (5, 2, 3), "W": (1, 16, 3), "R": (1, 16, 4)}
    arrays = {key: np.zeros(shape, np.float32) for key, shape in arrays.items()}
    with pytest.raises(
        ValueError, match="attribute hidden_size: expected 4, the last axis of R, got 6"
    ):
        interop.session(make_model(Node("LSTM", arrays, {"hidden_size": 6}, 14)))
