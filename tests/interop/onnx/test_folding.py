"""Constants are computed once, in a graph and in the graphs inside its nodes; the rest stays."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm.interop.onnx.running import prepared, session

onnx = pytest.importorskip("onnx")
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT


def kinds(graph):
    return [node.op_type for node in graph.node]


def test_only_what_is_used_and_constant_is_kept():
    a, unused = tensor("a", np.float32([1, 2])), tensor("unused", np.float32([5]))
    model = model_of(
        [
            make_node("Constant", [], ["two"], value=tensor("v", np.float32(2))),
            make_node("Mul", ["a", "two"], ["doubled"]),
            make_node("Add", ["x", "doubled"], ["y"]),
            make_node("RandomUniformLike", ["a"], ["noise"]),
            make_node("Neg", ["doubled"], ["z"]),
        ],
        [info("x", FLOAT, [2])],
        [info(name, FLOAT, [2]) for name in ("y", "z", "noise")],
        [a, unused],
    )
    graph = prepared(model).graph
    assert kinds(graph) == ["Add", "RandomUniformLike"]
    assert {one.name for one in graph.initializer} == {"a", "doubled", "z"}
    y, z, noise = session(model).run(None, {"x": np.float32([1, 1])})
    assert y.tolist() == [3, 5] and z.tolist() == [-2, -4] and noise.shape == (2,)


def test_what_onnx_cannot_compute_is_left_to_the_run():
    model = model_of(
        [make_node("MatMul", ["a", "a"], ["b"]), make_node("Add", ["x", "b"], ["y"])],
        [info("x", FLOAT, [2])],
        [info("y", FLOAT, [2])],
        [tensor("a", np.ones((2, 3), np.float32))],
    )
    assert kinds(prepared(model).graph) == ["MatMul", "Add"]
    with pytest.raises(
        ValueError, match="model: ONNX's evaluator cannot run it on these inputs: .*'MatMul'"
    ):
        session(model).run(None, {"x": np.float32([1, 1])})


def test_texts_stay_as_they_are():
    model = model_of(
        [
            make_node("Constant", [], ["word"], value_strings=["a", "b"]),
            make_node("Gather", ["word", "i"], ["y"]),
        ],
        [info("i", onnx.TensorProto.INT64, [1])],
        [info("y", onnx.TensorProto.STRING, [1])],
    )
    (y,) = session(model).run(None, {"i": [1]})
    assert y.tolist() in (["b"], [b"b"])


def test_inputs_of_a_loops_body_hide_constants_and_keep_their_places():
    """A body's input may have the name of an outer constant, or of an initializer of its own."""
    body = onnx.helper.make_graph(
        [make_node("Add", ["state", "k"], ["next"]), make_node("Identity", ["go"], ["on"])],
        "body",
        [info("t", onnx.TensorProto.INT64, []), info("go", onnx.TensorProto.BOOL, []),
         info("state", FLOAT, [1])],
        [info("on", onnx.TensorProto.BOOL, []), info("next", FLOAT, [1])],
    )  # fmt: skip
    model = model_of(
        [make_node("Loop", ["count", "yes", "x"], ["y"], body=body)],
        [info("x", FLOAT, [1])],
        [info("y", FLOAT, [1])],
        [tensor("count", np.array(3)), tensor("yes", np.array(True)),
         tensor("k", np.float32([2]))],
    )  # fmt: skip
    inside = prepared(model).graph.node[0].attribute[0].g
    assert [one.name for one in inside.input] == ["t", "go", "state"]
    assert session(model).run(None, {"x": np.float32([1])})[0].tolist() == [7]


def test_initializers_that_are_inputs_too_are_constants_before_ir_version_4():
    values = [tensor("a", np.float32([1, 2]))]
    model = model_of(
        [make_node("Add", ["x", "a"], ["y"])],
        [info("x", FLOAT, [2]), info("a", FLOAT, [2])],
        [info("y", FLOAT, [2])],
        values,
        ir_version=3,
    )
    made = session(model)
    assert [one.name for one in made.get_inputs()] == ["x"]
    assert made.run(None, {"x": np.float32([1, 1])})[0].tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"input_feed: expected \['x'\]"):
        made.run(None, {"x": np.float32([1, 1]), "a": np.float32([0, 0])})
