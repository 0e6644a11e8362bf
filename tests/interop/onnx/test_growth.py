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


def test_an_operator_whose_shapes_onnx_does_not_know_is_not_folded():
    assert grows(make_node("Strange", ["a"], ["k"]), {"a": np.ones(1)}, {"": 17})
