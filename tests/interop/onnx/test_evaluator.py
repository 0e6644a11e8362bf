"""Our way from node to node gives what ONNX's own gives, and says what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm.interop import onnx as interop
from numba_lstm.interop.onnx.constants import Constants
from numba_lstm.interop.onnx.evaluator import evaluator_class

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info


def graph_of_graphs():
    out = [info("b", FLOAT, None)]
    then = onnx.helper.make_graph([make_node("Mul", ["a", "k"], ["b"])], "then", [], out)
    other = onnx.helper.make_graph([make_node("Neg", ["a"], ["b"])], "else", [], out)
    return model_of(
        [
            make_node("Add", ["x", "k"], ["a"]),
            make_node("If", ["c"], ["d"], then_branch=then, else_branch=other),
            make_node("Clip", ["d", "", "top"], ["y"]),
        ],
        [info("x", FLOAT, [2]), info("c", onnx.TensorProto.BOOL, [])],
        [info("y", FLOAT, None), info("a", FLOAT, None)],
        [tensor("k", np.float32([2, 3])), tensor("top", np.float32(9))],
    )


@pytest.mark.parametrize("choice", [True, False])
def test_every_value_is_that_of_onnxs_own_way(choice):
    model = graph_of_graphs()
    given = {"x": np.float32([1, 2]), "c": np.array(choice)}
    own = onnx.reference.ReferenceEvaluator(model)
    ours = evaluator_class(Constants())(model)
    for names in (None, ["y"], ["a", "y"]):
        for one, other in zip(ours.run(names, given), own.run(names, given), strict=True):
            assert np.array_equal(one, other)
    values, wanted = (made.run(None, given, intermediate=True) for made in (ours, own))
    assert values.keys() == wanted.keys()


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([make_node("Neg", ["z"], ["y"], name="it")], r"node 'it' \(Neg\): input 'z': given by no"),
        ([make_node("Neg", ["x"], ["z"])], "output 'y': given by no node"),
    ],
)
def test_what_no_node_gives_is_named(nodes, words):
    model = model_of(nodes, [info("x", FLOAT, [1])], [info("y", FLOAT, [1])])
    with pytest.raises(ValueError, match=f"^model: ONNX's evaluator cannot run it .*{words}"):
        interop.session(model).run(None, {"x": np.ones(1)})
