"""Recurrent nodes of ONNX with random sizes, inputs and attributes, as models of one node."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
# Functions by how many constants they have.
FUNCTIONS = {
    "Relu": 0, "Tanh": 0, "Sigmoid": 0, "Softsign": 0, "Softplus": 0, "LeakyRelu": 1,
    "ThresholdedRelu": 1, "Elu": 1, "Affine": 2, "ScaledTanh": 2, "HardSigmoid": 2,
}  # fmt: skip
DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
ROLES = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = {"LSTM": ["Y", "Y_h", "Y_c"], "GRU": ["Y", "Y_h"], "RNN": ["Y", "Y_h"]}


class Node(NamedTuple):
    operator: str
    arrays: dict[str, np.ndarray]  # by ROLES, in layout 0
    attributes: dict[str, Any]
    opset: int


def random_node(rng: np.random.Generator, operator: str | None = None) -> Node:
    """Any attribute, any input there or not, small and odd sizes."""
    operator = operator or str(rng.choice(list(GATES)))
    t, b, i, h = (
        int(rng.choice(some)) for some in ([1, 2, 5, 9], [1, 2, 3, 7], [1, 3, 8], [1, 5, 8, 17])
    )
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    d = 2 if direction == "bidirectional" else 1
    opset = int(rng.integers(7, 23))
    arrays = {
        "X": rng.standard_normal((t, b, i)),
        "W": rng.standard_normal((d, GATES[operator] * h, i)) * 0.5,
        "R": rng.standard_normal((d, GATES[operator] * h, h)) * 0.3,
    }
    maybe = {
        "B": rng.standard_normal((d, 2 * GATES[operator] * h)) * 0.5,
        "initial_h": rng.standard_normal((d, b, h)),
        "initial_c": rng.standard_normal((d, b, h)),
        "P": rng.standard_normal((d, 3 * h)) * 0.5,
    }
    if operator != "LSTM":
        del maybe["initial_c"], maybe["P"]
    arrays |= {name: value for name, value in maybe.items() if rng.random() < 0.5}
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    if rng.random() < 0.4:
        arrays["sequence_lens"] = rng.integers(0, t + 1, b).astype(np.int32)
    attributes: dict[str, Any] = {}
    if direction != "forward" or rng.random() < 0.5:
        attributes["direction"] = direction
    if rng.random() < 0.7:
        attributes["hidden_size"] = h
    if rng.random() < 0.3:
        attributes["clip"] = float(rng.uniform(0.3, 2))
    if opset >= 14 and rng.random() < 0.4:
        attributes["layout"] = int(rng.integers(2))
    if operator == "GRU" and rng.random() < 0.7:
        attributes["linear_before_reset"] = int(rng.integers(2))
    if operator == "LSTM" and rng.random() < 0.4:
        attributes["input_forget"] = int(rng.integers(2))
    attributes |= _activations(rng, operator, d, t)
    return Node(operator, arrays, attributes, opset)


def _activations(rng: np.random.Generator, operator: str, d: int, t: int) -> dict[str, Any]:
    which = rng.random()
    if which < 0.4:
        return {}
    names = DEFAULTS[operator] * d
    if which > 0.7:
        names = [str(rng.choice(list(FUNCTIONS))) for _ in names]
        if t > 2 and operator != "RNN":  # states of unbounded gates would overflow
            per = len(DEFAULTS[operator])
            names[::per] = [str(rng.choice(["Sigmoid", "HardSigmoid"])) for _ in names[::per]]
        if operator == "RNN" and rng.random() < 0.4:
            names = ["Relu"] * d
    found: dict[str, Any] = {"activations": [_any_case(rng, name) for name in names]}
    # ONNX gives these three no default, or another one than onnxruntime.
    if {"Affine", "ScaledTanh", "ThresholdedRelu"} & set(names) or rng.random() < 0.5:
        alphas = [float(rng.uniform(0.2, 1)) for name in names if FUNCTIONS[name] > 0]
        betas = [float(rng.uniform(0.2, 1)) for name in names if FUNCTIONS[name] > 1]
        found |= {"activation_alpha": alphas} if alphas else {}
        found |= {"activation_beta": betas} if betas else {}
    return found


def _any_case(rng: np.random.Generator, name: str) -> str:
    return str(rng.choice([name, name.lower(), name.upper()]))


def make_model(node: Node, constant: bool = True) -> bytes:
    """The model; its weights are initializers, or with `constant` False inputs."""
    import onnx
    from onnx import helper, numpy_helper

    arrays = laid_out(node)
    names = [role if role in arrays else "" for role in ROLES]
    while not names[-1]:
        names.pop()
    own = [role for role in ("W", "R", "B", "P") if role in arrays and constant]
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in arrays.items()
        if name not in own
    ]
    outputs = OUTPUTS[node.operator]
    graph = helper.make_graph(
        [helper.make_node(node.operator, names, outputs, name="it", **node.attributes)],
        "one",
        inputs,
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(arrays[name], name) for name in own],
    )
    opsets = [helper.make_opsetid("", node.opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def feeds(node: Node, constant: bool = True) -> dict[str, np.ndarray]:
    """What the model's inputs are given."""
    own = ("W", "R", "B", "P") if constant else ()
    return {name: value for name, value in laid_out(node).items() if name not in own}


def laid_out(node: Node) -> dict[str, np.ndarray]:
    """The node's arrays in its layout."""
    if not node.attributes.get("layout"):
        return node.arrays
    turned = ("X", "initial_h", "initial_c")
    return {
        name: np.ascontiguousarray(value.swapaxes(0, 1)) if name in turned else value
        for name, value in node.arrays.items()
    }


def by_time(node: Node, outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs in the node's layout, in layout 0."""
    if not node.attributes.get("layout"):
        return outputs
    y, *states = outputs
    return [y.transpose(1, 2, 0, 3), *(state.swapaxes(0, 1) for state in states)]


def for_onnxruntime(node: Node) -> Node:
    """The same node as onnxruntime has it: layout 0, a hidden size, an RNN's functions by case."""
    attributes = {name: value for name, value in node.attributes.items() if name != "layout"}
    attributes["hidden_size"] = node.arrays["R"].shape[2]
    if "activations" in attributes:
        by_case = {name.lower(): name for name in FUNCTIONS}
        attributes["activations"] = [by_case[one.lower()] for one in attributes["activations"]]
    return node._replace(attributes=attributes)
