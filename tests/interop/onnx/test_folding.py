"""Constants are computed once, in a graph and in the graphs inside its nodes; the rest stays."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm.interop.onnx.preparing import prepared
from numba_lstm.interop.onnx.running import session

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
    graph = prepared(model).model.graph
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
    assert kinds(prepared(model).model.graph) == ["MatMul", "Add"]
    with pytest.raises(ValueError, match=r"^model: ONNX's evaluator cannot run it .*MatMul"):
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


def test_inputs_of_a_body_keep_their_places_and_hide_constants_of_their_names():
    body = onnx.helper.make_graph(
        [make_node("Add", ["state", "k"], ["next"])],
        "body",
        [info("state", FLOAT, [1]), info("k", FLOAT, [1])],
        [info("next", FLOAT, [1])],
        [tensor("state", np.float32([50]))],
    )
    model = model_of(
        [make_node("Scan", ["start", "x"], ["y"], body=body, num_scan_inputs=1)],
        [info("start", FLOAT, [1]), info("x", FLOAT, [3, 1])],
        [info("y", FLOAT, [1])],
        [tensor("k", np.float32([2]))],
    )
    inside = next(
        one.g for one in prepared(model).model.graph.node[0].attribute if one.name == "body"
    )
    assert [one.name for one in inside.input] == ["state", "k"] and kinds(inside) == ["Add"]
    x = np.float32([[1], [2], [3]])
    assert session(model).run(None, {"start": np.float32([4]), "x": x})[0].tolist() == [10]


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
