"""The graph that an ONNX file is made of."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from numba_lstm.interop.onnx.export_graph import Graph, Value, check_last
from numba_lstm.nn import Parameter


def parts(graph):
    """Nodes as (operator, inputs, outputs), and the names of constants."""
    model = graph.model("graph")
    return (
        [(one.op_type, list(one.input), list(one.output)) for one in model.graph.node],
        [one.name for one in model.graph.initializer],
    )


def test_what_no_output_depends_on_is_left_out():
    graph = Graph("f4")
    x = graph.input("x", ("n", 2), "")
    kept = graph.node("Relu", [x], x.shape)
    graph.node("Add", [graph.node("Tanh", [kept], x.shape), graph.constant(1, "f4")], x.shape)
    graph.output("y", kept, "")
    assert parts(graph) == ([("Relu", ["x"], ["y"])], [])


def test_outputs_that_nobody_reads_are_left_empty():
    graph = Graph("f4")
    x = graph.input("x", ("t", "b", 2), "")
    graph.nodes("LSTM", [x, "W", "R"], ["all", "h", "c"])
    graph.output("hn", Value("h", (1, "b", 2)), "")
    assert parts(graph)[0] == [("LSTM", ["x", "W", "R"], ["", "hn"])]


def test_one_value_may_be_several_outputs_and_an_input_may_be_one():
    graph = Graph("f4")
    x = graph.input("x", ("n",), "")
    one = graph.node("Relu", [x], x.shape)
    for name, value in (("a", one), ("b", one), ("c", x)):
        graph.output(name, value, "")
    assert parts(graph)[0] == [
        ("Relu", ["x"], ["a"]),
        ("Identity", ["a"], ["b"]),
        ("Identity", ["x"], ["c"]),
    ]


def test_equal_constants_and_one_parameter_are_stored_once():
    graph = Graph("f8")
    parameter = Parameter(np.ones((2, 3)))
    first, second = graph.parameter("first", parameter), graph.parameter("second", parameter)
    assert first == second == Value("first", (2, 3))
    assert graph.constant([1, 2]) == graph.constant((1, 2)) != graph.constant([1, 2], np.int32)


def test_a_length_is_computed_once_if_it_varies_and_else_is_a_constant():
    graph = Graph("f4")
    x = graph.input("x", ("n", 5), "")
    assert graph.size(x, 0) == graph.size(graph.transpose(x, (1, 0)), 1)
    assert graph.size(x, 1) == graph.constant([5])
    assert graph.unsqueeze(x, -1).shape == ("n", 5, 1)
    assert graph.unsqueeze(x, 1).shape == ("n", 1, 5)


def test_inputs_left_out_at_the_end_are_not_written():
    graph = Graph("f4")
    y = graph.node("GRU", ["x", "W", "", "b", "", ""], (1,))
    graph.output("y", y, "")
    assert parts(graph)[0] == [("GRU", ["x", "W", "", "b"], ["y"])]


def test_sizes_that_vary_fit_and_known_ones_are_compared():
    check_last("", Value("x", ("n", "m")), (3,))
    for shape in ((3, 4), (3,)):
        with pytest.raises(ValueError, match=r"^head: expected an input of shape \(…, 2, 3\)"):
            check_last("head.", Value("x", shape), (2, 3))
