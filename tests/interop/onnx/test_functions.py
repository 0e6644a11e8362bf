"""Local functions are put in place, unless that has no end or no bound."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of

from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info


def function(name, *nodes):
    opsets = [onnx.helper.make_opsetid(*one) for one in (("", 17), ("own", 1))]
    return onnx.helper.make_function("own", name, ["a"], ["b"], nodes, opsets)


def call(name, x, y):
    return make_node(name, [x], [y], domain="own")


def doubling(levels):
    """Each function calls the next one twice; the last one doubles."""
    functions = [function(f"f{levels}", make_node("Add", ["a", "a"], ["b"]))]
    for level in range(levels):
        nodes = call(f"f{level + 1}", "a", "c"), call(f"f{level + 1}", "c", "b")
        functions.append(function(f"f{level}", *nodes))
    return functions


def model(functions):
    return model_of(
        [call("f0", "x", "y")],
        [info("x", FLOAT, [1])],
        [info("y", FLOAT, [1])],
        functions=functions,
    )


def test_functions_of_functions_are_put_in_place():
    (y,) = interop.session(model(doubling(3))).run(None, {"x": np.ones(1)})
    assert y.tolist() == [2.0**8]


def test_functions_that_double_forty_times_are_refused_at_once():
    with pytest.raises(ValueError, match=r"^model: expected at most 1000000 nodes, .* got 109951"):
        interop.session(model(doubling(40)))


@pytest.mark.parametrize("circle", [["f0"], ["f0", "f1"], ["f0", "f1", "f2"]])
def test_functions_that_call_themselves_are_refused(circle):
    after = circle[1:] + circle[:1]
    functions = [function(name, call(other, "a", "b")) for name, other in zip(circle, after)]
    with pytest.raises(ValueError, match=r"^model: expected functions that do not call themselves"):
        interop.session(model(functions))


def test_a_long_chain_of_functions_is_no_circle():
    chain = [function(f"f{at}", call(f"f{at + 1}", "a", "b")) for at in range(100)]
    chain.append(function("f100", make_node("Neg", ["a"], ["b"])))
    try:
        (y,) = interop.session(model(chain)).run(None, {"x": np.ones(1)})
    except ValueError as error:  # of onnx's own inliner, in words of ours
        assert str(error).startswith("model: ")
    else:
        assert y.tolist() == [-1.0]
