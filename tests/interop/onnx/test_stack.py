"""Graphs that are nearly stacks of layers are refused, naming the node that is not of one."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import tensor
from onnx_stacks_tool import stack_model

from numba_lstm import nn
from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT


def changed(change):
    model = stack_model(nn.GRU(3, 3, num_layers=2, seed=0))
    change(model.graph)
    return model


def scale_between(graph):
    squeeze = next(node for node in graph.node if node.output[0] == "y0")
    squeeze.output[0] = "before"
    at = list(graph.node).index(squeeze) + 1
    graph.node.insert(
        at, make_node("Slice", ["before", "to", "from", "ax", "by"], ["y0"], name="turn")
    )
    values = {"from": [-(2**40)], "to": [-1], "ax": [0], "by": [-1]}
    graph.initializer.extend(tensor(name, value) for name, value in values.items())


def skip_a_layer(graph):
    next(node for node in graph.node if node.name == "layer 1").input[0] = "x"


def other_reset(graph):
    node = next(node for node in graph.node if node.name == "layer 1")
    next(one for one in node.attribute if one.name == "linear_before_reset").i = 0


def constant_state(graph):
    node = next(node for node in graph.node if node.name == "layer 1")
    graph.initializer.append(tensor("start", np.ones((1, 3, 3), "f4")))
    node.input.extend(["start"] if len(node.input) == 5 else ["", "start"])


def weights_as_inputs(graph):
    kept = [one for one in graph.initializer if one.name != "W1"]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.input.append(info("W1", FLOAT, [1, 9, 3]))


@pytest.mark.parametrize(
    "change, message",
    [
        (scale_between, r"node 'layer 1' \(GRU\): input X: expected the outputs of node 'layer 0'"),
        (skip_a_layer, r"node 'layer 1' \(GRU\): input X: expected Y of node 'layer 0'"),
        (other_reset, r"node 'layer 1' \(GRU\): reset_after: expected True, as in node 'layer 0'"),
        (constant_state, r"node 'layer 1' \(GRU\): input initial_h: expected zeros or an input"),
        (weights_as_inputs, r"node 'layer 1' \(GRU\): input W: expected a constant, got 'W1'"),
    ],
)
def test_what_is_no_plain_stack_is_refused_by_node(change, message):
    with pytest.raises(ValueError, match=message):
        interop.load(changed(change))
    assert isinstance(interop.load(changed(lambda graph: None)), nn.GRU)
