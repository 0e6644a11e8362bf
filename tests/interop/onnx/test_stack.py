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


def start_at(graph, value):
    node = next(node for node in graph.node if node.name == "layer 1")
    graph.initializer.append(tensor("start", value))
    node.input.extend(["", "start"][len(node.input) - 4 :])


def states_that_differ(graph):
    start_at(graph, np.arange(9, dtype="f4").reshape(1, 3, 3))


def constant_and_given_states(graph):
    start_at(graph, np.ones((1, 3, 3), "f4"))
    node = next(node for node in graph.node if node.name == "layer 0")
    graph.input.append(info("h0", FLOAT, [1, "M", 3]))
    node.input.extend(["", "h0"][len(node.input) - 4 :])


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
        (states_that_differ, r"node 'layer 1' .GRU.: input initial_h: expected one state for all"),
        (constant_and_given_states, r"node 'layer 0' .GRU.: expected initial states that are all"),
        (weights_as_inputs, r"node 'layer 1' \(GRU\): input W: expected a constant, got 'W1'"),
    ],
)
def test_what_is_no_plain_stack_is_refused_by_node(change, message):
    with pytest.raises(ValueError, match=message):
        interop.load(changed(change))
    assert isinstance(interop.load(changed(lambda graph: None)), nn.GRU)


def test_constant_states_become_parameters():
    start = np.float32([[[0.5, -1, 2]]])
    model = changed(lambda graph: start_at(graph, np.repeat(start, 3, axis=1)))
    module = interop.load(model)
    assert module.learn_initial_state
    assert not module.h_0_l0.numpy().any()
    assert np.array_equal(module.h_0_l1.numpy(), start[0, 0])
    x = np.random.default_rng(0).standard_normal((4, 3, 3)).astype(np.float32)
    y, hn = module(x)
    for one, other in zip((y, hn), interop.session(model).run(None, {"x": x})):
        assert np.abs(one - other).max() < 1e-6
    loaded = interop.load(model, node="layer 1")
    assert loaded.inputs == {"X": "y0"}
    assert np.array_equal(loaded.module.h_0_l0.numpy(), start[0, 0])


def test_zeros_that_are_constant_are_none():
    model = changed(lambda graph: start_at(graph, np.zeros((1, 3, 3), "f4")))
    assert not interop.load(model).learn_initial_state
    assert interop.load(model, node="layer 1").inputs == {"X": "y0"}


def lengths_model(lengths, shape, before=()):
    """A GRU whose sequence_lens are constants; before it other nodes may make "turned" of x."""
    rng = np.random.default_rng(0)
    arrays = {"W": rng.standard_normal((1, 12, 3)), "R": rng.standard_normal((1, 12, 4))}
    tensors = [tensor(name, one.astype("f4")) for name, one in arrays.items()]
    x = "turned" if before else "x"
    gru = make_node("GRU", [x, "W", "R", "", "lens"], ["y"], hidden_size=4, name="it")
    graph = onnx.helper.make_graph(
        [*before, gru],
        "g",
        [info("x", FLOAT, shape)],
        [info("y", FLOAT, None)],
        [*tensors, tensor("lens", np.int32(lengths)), tensor("zero", np.array([0]))],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])


@pytest.mark.parametrize(
    "lengths, shape",
    [
        ([3, 3, 3], ["T", "B", 3]),
        ([3, 3, 3], ["T", 3, 3]),
        ([3, 3], ["T", 2, 3]),
        ([5, 4], [5, 2, 3]),
        ([2, 2], [5, 2, 3]),
    ],
    ids=str,
)
def test_constant_lengths_are_refused_by_node(lengths, shape):
    with pytest.raises(ValueError, match=r"node 'it' \(GRU\): input sequence_lens: .*constants \["):
        interop.load(lengths_model(lengths, shape))


def test_lengths_that_do_not_follow_t_are_refused_by_node():
    before = [
        make_node("Identity", ["x"], ["turned"]),
        make_node("Shape", ["x"], ["batch"], start=1, end=2),
        make_node("Expand", ["three", "batch"], ["all"]),
    ]
    model = lengths_model([3], ["T", "B", 3], before)
    model.graph.initializer.append(tensor("three", np.int32([3])))
    model.graph.node[3].input[4] = "all"
    with pytest.raises(ValueError, match=r"node 'it' \(GRU\): input sequence_lens: .* of T = 4"):
        interop.load(model)
    model.graph.node[1].CopyFrom(make_node("Shape", ["x"], ["sizes"]))
    model.graph.node[2].CopyFrom(make_node("Split", ["sizes"], ["time", "batch", "last"]))
    model.graph.node.insert(3, make_node("Expand", ["time", "batch"], ["wide"]))
    model.graph.node.insert(4, make_node("Cast", ["wide"], ["all"], to=onnx.TensorProto.INT32))
    assert isinstance(interop.load(model), nn.GRU)


def test_constant_lengths_that_are_a_fixed_t_are_none():
    model = lengths_model([5, 5], [5, 2, 3])
    x = np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)
    (y,) = interop.session(model).run(None, {"x": x})
    assert np.abs(interop.load(model)(x)[0] - y[:, 0]).max() < 1e-6
    turn = [make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2])]
    module = interop.load(lengths_model([5, 5], [2, 5, 3], turn))
    assert module.batch_first
    assert np.abs(module(x.swapaxes(0, 1))[0] - y[:, 0].swapaxes(0, 1)).max() < 1e-6


def test_a_2d_input_of_sequences_of_one_step_is_no_batch_first():
    def model(axis):
        axes = tensor("axis", np.array([axis]))
        before = make_node("Unsqueeze", ["x", "axis"], ["turned"])
        found = lengths_model([1], ["N", 3], [before])
        found.graph.initializer.append(axes)
        found.graph.node[1].input[4] = ""
        return found

    assert not interop.load(model(1)).batch_first  # (T, I): a single sequence
    with pytest.raises(ValueError, match=r"node 'it' \(GRU\): input X: .* got it changed"):
        interop.load(model(0))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_stacks_of_float16_load(kind):
    module = kind(3, 4, num_layers=2, seed=0)
    model = stack_model(module)
    half = onnx.TensorProto.FLOAT16
    for one in model.graph.initializer:
        if one.data_type == FLOAT:
            value = onnx.numpy_helper.to_array(one).astype(np.float16)
            one.CopyFrom(tensor(one.name, value))
    for one in (*model.graph.input, *model.graph.output):
        if one.type.tensor_type.elem_type == FLOAT:
            one.type.tensor_type.elem_type = half
    loaded = interop.load(model)
    assert loaded.dtype == np.float32 and loaded.num_layers == 2
    for name, value in module.state_dict().items():
        assert np.array_equal(loaded.state_dict()[name], value.astype(np.float16)), name
