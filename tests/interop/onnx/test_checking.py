"""A model is checked before anything is made of it."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info


def gru(**attributes):
    arrays = {"w": np.zeros((1, 6, 3), "f4"), "r": np.zeros((1, 6, 2), "f4")}
    return model_of(
        [make_node("GRU", ["x", "w", "r"], ["y"], name="it", hidden_size=2, **attributes)],
        [info("x", FLOAT, ["T", "B", 3])],
        [info("y", FLOAT, None)],
        [tensor(name, value) for name, value in arrays.items()],
    )


@pytest.mark.parametrize("use", [interop.session, interop.load])
@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"constant_W": 1}, "attribute constant_W: not one of ONNX's GRU"),
        ({"direction": ["forward"]}, "attribute direction: expected a word, got"),
        ({"direction": 3}, "attribute direction: expected a word, got 3"),
        ({"activations": "Tanh"}, "attribute activations: expected a list of names, got 'Tanh'"),
        ({"activations": [1, 2]}, "attribute activations: expected a list of names"),
        ({"clip": [1.0]}, "attribute clip: expected a number, got"),
        ({"layout": 0.5}, "attribute layout: expected a whole number, got 0.5"),
        ({"linear_before_reset": "1"}, "attribute linear_before_reset: expected a whole number"),
        ({"activation_alpha": "a"}, "attribute activation_alpha: expected a list of numbers"),
    ],
)
def test_attributes_of_other_types_are_refused_by_name(use, attributes, words):
    with pytest.raises(ValueError, match=rf"^model: node 'it' \(GRU\): {words}"):
        use(gru(**attributes))


@pytest.mark.parametrize("number", [-1, 99, 2**31 - 1])
def test_an_unknown_type_of_a_value_is_refused(number):
    model = gru()
    model.graph.input[0].type.tensor_type.elem_type = number
    with pytest.raises(ValueError, match=rf"^model: value 'x': .* got number {number}"):
        interop.session(model)


@pytest.mark.parametrize("text", [b"hidden_size", b"sss", b"it", b"GRU", b"out"])
def test_names_that_are_no_text_are_refused(text):
    model = gru(direction="forward")
    model.graph.input[0].name = model.graph.node[0].input[0] = "sss"
    model.graph.output[0].name = model.graph.node[0].output[0] = "out"
    if text == b"out":
        model.graph.node[0].name = ""  # messages call it by its output
    content = model.SerializeToString().replace(text, b"\xff" * len(text))
    with pytest.raises(ValueError, match=r"^model: .*expected a name that is text, got the bytes"):
        interop.session(content)


def test_a_value_that_two_nodes_give_is_refused():
    model = gru()
    model.graph.node.append(make_node("Neg", ["x"], ["y"], name="other"))
    with pytest.raises(ValueError, match=r"^model: node 'other' \(Neg\): output 'y': given by"):
        interop.session(model)


def test_a_node_without_its_input_is_refused():
    model = gru()
    model.graph.node[0].input[0] = ""
    with pytest.raises(ValueError, match=r"^model: node 'it' \(GRU\): input X: expected a value"):
        interop.load(model)
    with pytest.raises(ValueError, match=r"input X"):
        interop.session(model).run(None, {"x": np.zeros((1, 1, 3))})


def test_graphs_nested_as_deep_as_protobuf_takes_run():
    out = [info("y", FLOAT, [1])]
    other = onnx.helper.make_graph([make_node("Identity", ["x"], ["y"])], "e", [], out)
    inner = onnx.helper.make_graph([make_node("Neg", ["x"], ["y"])], "g", [], out)
    for _ in range(25):
        node = make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other)
        inner = onnx.helper.make_graph([node], "g", [], out)
    model = model_of(
        list(inner.node),
        [info("x", FLOAT, [1]), info("c", onnx.TensorProto.BOOL, [])],
        [info("y", FLOAT, [1])],
    )
    (y,) = interop.session(model).run(None, {"x": np.ones(1), "c": True})
    assert y.tolist() == [-1]


def test_graphs_nested_deeper_are_refused():
    def field(number, content):
        """A field that holds bytes, as protobuf writes it."""
        size, rest = [], len(content)
        while rest > 127:
            size.append(rest % 128 + 128)
            rest //= 128
        return bytes([8 * number + 2, *size, rest]) + content

    content = b""
    for _ in range(1000):  # a graph's node's attribute's graph
        content = field(1, field(5, field(6, content)))
    with pytest.raises(ValueError, match=r"^model: expected a whole ONNX file"):
        interop.session(field(7, content))


@pytest.mark.parametrize("dims", [[-1, 4], [2**40], [2**62, 2**62], [2**31, 2**31, 4]])
def test_sizes_of_initializers_that_overflow_are_refused(dims):
    model = gru()
    model.graph.initializer[0].dims[:] = dims
    with pytest.raises(ValueError, match=r"^model: initializer 'w': expected .*, got others"):
        interop.session(model)
