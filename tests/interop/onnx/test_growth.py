"""Opening a small file takes little memory, whatever its constants would grow to."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm.interop.onnx.growth import grows
from numba_lstm.interop.onnx.preparing import prepared
from numba_lstm.interop.onnx.running import session

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
MUCH = 10**7

CASES = {
    "ConstantOfShape": {"a": np.array([MUCH, MUCH])},
    "Expand": {"a": np.float32([1]), "b": np.array([MUCH, MUCH])},
    "Tile": {"a": np.float32([[1, 2]]), "b": np.array([MUCH, MUCH])},
    "Range": {"a": np.array(0), "b": np.array(MUCH * MUCH), "c": np.array(1)},
    "Pad": {"a": np.float32([1]), "b": np.array([MUCH * MUCH, 0])},
    "MatMul": {"a": np.ones((20_000, 1), "f4"), "b": np.ones((1, 20_000), "f4")},
    "Add": {"a": np.ones((20_000, 1), "f4"), "b": np.ones((1, 20_000), "f4")},
    "OneHot": {"a": np.array([1]), "b": np.array(MUCH * MUCH), "c": np.float32([0, 1])},
}


@pytest.mark.parametrize("operator", CASES)
def test_what_makes_much_out_of_little_is_left_to_the_run(operator):
    values = CASES[operator]
    node = make_node(operator, list(values), ["k"])
    assert grows(node, values, {"": 17})
    model = model_of(
        [node, make_node("Add", ["x", "k"], ["y"])],
        [info("x", FLOAT, [1])],
        [info("y", FLOAT, None)],
        [tensor(name, value) for name, value in values.items()],
    )
    kept = prepared(model).model.graph
    assert [one.op_type for one in kept.node] == [operator, "Add"]
    session(model)


def test_weights_are_folded_however_large_they_are():
    large = np.zeros((3000, 3000), np.int8)
    assert not grows(make_node("Transpose", ["a"], ["k"], perm=[1, 0]), {"a": large}, {"": 17})
    values = {"a": large, "b": np.float32(1)}
    assert not grows(make_node("DequantizeLinear", ["a", "b"], ["k"]), values, {"": 17})
    small = {"a": np.array([3, 4])}
    assert not grows(make_node("ConstantOfShape", ["a"], ["k"]), small, {"": 17})


PAIR = {"a": np.float32([1, 2]), "b": np.float32([3, 4])}
LISTS = {
    "SequenceConstruct": [
        make_node("SequenceConstruct", ["a", "b"], ["s"]),
        make_node("SequenceAt", ["s", "at"], ["k"]),
    ],
    "SequenceEmpty": [
        make_node("SequenceEmpty", [], ["e"]),
        make_node("SequenceInsert", ["e", "b"], ["s"]),
        make_node("SequenceAt", ["s", "at"], ["k"]),
    ],
    "Optional": [
        make_node("Optional", ["b"], ["s"]),
        make_node("OptionalHasElement", ["s"], ["there"]),
        make_node("Where", ["there", "b", "a"], ["k"]),
    ],
}


@pytest.mark.parametrize("kind", LISTS)
def test_constant_lists_and_optional_values_are_opened_and_run(kind):
    nodes = LISTS[kind]
    assert not grows(nodes[0], {name: PAIR[name] for name in nodes[0].input}, {"": 17})
    model = model_of(
        [*nodes, make_node("Add", ["x", "k"], ["y"])],
        [info("x", FLOAT, [2])],
        [info("y", FLOAT, [2])],
        [*(tensor(name, value) for name, value in PAIR.items()), tensor("at", np.array(-1))],
    )
    (y,) = session(model).run(None, {"x": np.float32([10, 20])})
    assert y.tolist() == [13, 24]


def test_an_operator_whose_shapes_onnx_does_not_know_is_not_folded():
    assert grows(make_node("Strange", ["a"], ["k"]), {"a": np.ones(1)}, {"": 17})
