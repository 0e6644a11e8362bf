"""Graphs of recurrent layers become modules with their weights; others are refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_nodes_tool import make_model, random_node
from onnx_stacks_tool import stack_model

from numba_lstm import losses, nn, optim
from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT

MODULES = {
    "lstm": lambda **k: nn.LSTM(3, 5, **k),
    "gru": lambda **k: nn.GRU(3, 5, **k),
    "gru-before": lambda **k: nn.GRU(3, 5, reset_after=False, **k),
    "rnn": lambda **k: nn.RNN(3, 5, **k),
}


def same(module, other):
    """Whether two modules have the same options and the same parameters to the bit."""
    ours, theirs = module.state_dict(), other.state_dict()
    assert repr(module) == repr(other)
    assert ours.keys() == theirs.keys()
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_stack_comes_back_with_its_weights_to_the_bit(kind, bidirectional, bias):
    module = MODULES[kind](num_layers=3, bidirectional=bidirectional, bias=bias, seed=0)
    for states in ("none", "inputs", "shape"):
        assert same(interop.load(stack_model(module, states=states)), module)


@pytest.mark.parametrize("kind", MODULES)
def test_a_stack_of_batches_first_and_with_lengths_comes_back(kind):
    module = MODULES[kind](num_layers=2, batch_first=True, seed=0)
    assert same(interop.load(stack_model(module, batch_first=True)), module)
    module = MODULES[kind](num_layers=2, bidirectional=True, seed=0)
    assert same(interop.load(stack_model(module, lengths=True)), module)


def test_a_loaded_module_trains():
    module = interop.load(stack_model(nn.LSTM(3, 5, num_layers=2, seed=0)))
    optimizer = optim.Adam(module.parameters(), lr=0.02)
    x = np.random.default_rng(0).standard_normal((4, 3, 3)).astype(np.float32)
    history = []
    for _ in range(20):
        optimizer.zero_grad()
        (y, _), pullback = module.vjp(x)
        loss, dy = losses.mse(y, np.full_like(y, 0.3))
        pullback(dy)
        optimizer.step()
        history.append(loss)
    assert history[-1] < 0.7 * history[0]


@pytest.mark.parametrize("seed", range(30))
def test_a_single_node_comes_back_as_what_the_session_runs(seed):
    node = random_node(np.random.default_rng(seed))
    model = make_model(node)
    try:
        loaded = interop.load(model, node="it")
    except ValueError as error:
        assert "node 'it'" in str(error)
        assert "attribute clip: " in str(error) or "attribute activations: " in str(error)
        return
    arrays = node.arrays
    first = bool(node.attributes.get("layout"))
    x = arrays["X"].swapaxes(0, 1) if first else arrays["X"]
    hx = None
    if "initial_h" in arrays or "initial_c" in arrays:
        other = arrays.get("initial_c", arrays.get("initial_h"))
        hx = arrays.get("initial_h", np.zeros_like(other))
        if node.operator == "LSTM":
            hx = hx, arrays.get("initial_c", np.zeros_like(hx))
    y, _ = loaded.module(x, hx, arrays.get("sequence_lens"))
    given = {name: value for name, value in arrays.items() if name not in "WRBP"}
    for name in ("X", "initial_h", "initial_c"):
        if first and name in given:
            given[name] = given[name].swapaxes(0, 1)
    (wanted,) = interop.session(model).run(["Y"], given)
    wanted = wanted if first else wanted.swapaxes(1, 2)
    assert np.array_equal(y, wanted.reshape(y.shape))
    assert loaded.inputs["X"] == "X" and loaded.outputs["Y_h"] == "Y_h"
    assert set(loaded.inputs) == set(given)


def head_model(module):
    """A stack with a linear layer on it."""
    model = stack_model(module)
    last = model.graph.output[0].name
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((5, 2), "f4"), "head"))
    model.graph.node.append(make_node("MatMul", [last, "head"], ["logits"], name="the head"))
    model.graph.output.append(info("logits", FLOAT, None))
    return model


def test_a_graph_with_more_than_layers_is_refused_by_node_and_one_node_is_loaded():
    module = nn.LSTM(3, 5, num_layers=2, seed=0)
    model = head_model(module)
    with pytest.raises(ValueError, match="expected the head's as the only output of the graph"):
        interop.load(model)
    with pytest.raises(ValueError, match=r"load\(path, node=NAME\) gives one of: node 'layer 0'"):
        interop.load(model)
    loaded = interop.load(model, node="layer 1")
    assert loaded.inputs == {"X": "y0"}
    assert loaded.outputs == {"Y": "raw1", "Y_h": "hn_1", "Y_c": "cn_1"}
    assert np.array_equal(loaded.module.weight_ih_l0.numpy(), module.weight_ih_l1.numpy())
    by_output = interop.load(model, node="raw1").module
    assert np.array_equal(by_output.weight_ih_l0.numpy(), module.weight_ih_l1.numpy())
    with pytest.raises(ValueError, match=r"node: expected the name of one of .*'raw0'.*'no' names"):
        interop.load(model, node="no")


def test_a_file_without_recurrent_nodes_says_so():
    graph = onnx.helper.make_graph(
        [make_node("Gemm", ["x", "w"], ["a"]), make_node("Sigmoid", ["a"], ["y"])],
        "cells",
        [info("x", FLOAT, [1, 2]), info("w", FLOAT, [2, 2])],
        [info("y", FLOAT, None)],
    )
    with pytest.raises(
        ValueError, match="expected an LSTM, GRU or RNN node, got none: 1 Gemm, 1 S"
    ):
        interop.load(onnx.helper.make_model(graph))


def test_layers_of_different_sizes_and_biases_are_one_module():
    rng = np.random.default_rng(0)

    def arrays(number, inputs, hidden, bias):
        found = {f"W{number}": rng.standard_normal((1, 4 * hidden, inputs)),
                 f"R{number}": rng.standard_normal((1, 4 * hidden, hidden))}  # fmt: skip
        return found | ({f"B{number}": rng.standard_normal((1, 8 * hidden))} if bias else {})

    values = arrays(0, 3, 5, True) | arrays(1, 5, 4, False)
    graph = onnx.helper.make_graph(
        [
            make_node("LSTM", ["x", "W0", "R0", "B0"], ["raw"]),
            make_node("Squeeze", ["raw", "axis"], ["y0"]),
            make_node("LSTM", ["y0", "W1", "R1"], ["y"]),
        ],
        "g",
        [info("x", FLOAT, ["T", "B", 3])],
        [info("y", FLOAT, None)],
        [onnx.numpy_helper.from_array(value.astype("f4"), name) for name, value in values.items()]
        + [onnx.numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    module = interop.load(model)
    assert module.hidden_size == (5, 4) or list(module.hidden_size) == [5, 4]
    assert not module.bias_ih_l1.numpy().any()
    x = rng.standard_normal((6, 2, 3)).astype(np.float32)
    (y,) = interop.session(model).run(None, {"x": x})
    assert np.abs(module(x)[0] - y[:, 0]).max() < 1e-6
