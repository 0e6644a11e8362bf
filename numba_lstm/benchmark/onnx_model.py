"""A case as an ONNX model: an LSTM, GRU or RNN node a layer; for the peers that run such models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .cases import GATES, Case
from .subject import Arrays, parameters

__all__ = ["feeds", "make_model", "results"]

# ONNX orders an LSTM's gates i, o, f, g and torch i, f, g, o; a GRU's z, r, n and torch r, z, n.
_ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
# torch multiplies by the reset gate after the product with the state.
_ATTRIBUTES: dict[str, dict[str, Any]] = {"gru": {"linear_before_reset": 1}}


def feeds(case: Case, arrays: Arrays) -> dict[str, np.ndarray]:
    """The model's inputs by name."""
    return {name: arrays[name] for name in ("x", *(f"{letter}0" for letter in case.states))}


def results(case: Case, outputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What is compared, from the model's outputs in their order."""
    found = {"y": outputs[0]}
    for i, letter in enumerate(case.states):
        layers = outputs[1 + i * case.layers : 1 + (i + 1) * case.layers]
        found[f"{letter}n"] = np.concatenate(layers)
    return found


def make_model(case: Case, arrays: Arrays) -> bytes:
    """The graph with the given weights. It gives y, then each state of each layer: hn_0, ….

    Parameters
    ----------
    case : Case
        A plain layer of one of `GATES`.
    arrays : mapping
        Its weights are taken; x and the states are inputs of the model.
    """
    from onnx import TensorProto, helper, numpy_helper

    d, width = case.directions, case.directions * case.H
    constants: dict[str, np.ndarray] = {"y_shape": np.array([case.T, case.B, width])}
    nodes = []
    for letter in case.states:
        constants["split"] = np.full(case.layers, d)
        parts = [f"{letter}0_{layer}" for layer in range(case.layers)]
        nodes.append(helper.make_node("Split", [f"{letter}0", "split"], parts, axis=0))
    for layer in range(case.layers):
        constants |= _weights(case, layer, parameters(arrays))
        nodes += _layer(case, layer)

    def info(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    state = (case.layers * d, case.B, case.H)
    finals = [f"{letter}n_{layer}" for letter in case.states for layer in range(case.layers)]
    graph = helper.make_graph(
        nodes,
        "stack",
        [info("x", case.T, case.B, case.I), *(info(f"{k}0", *state) for k in case.states)],
        [info("y", case.T, case.B, width), *(info(name, d, case.B, case.H) for name in finals)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def _weights(case: Case, layer: int, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A layer's W, R and B, of all directions, their gates in ONNX's order."""

    def of(kind: str) -> np.ndarray:
        suffixes = ("", "_reverse")[: case.directions]
        gates = [np.split(weights[f"{kind}_l{layer}{s}"], GATES[case.cell]) for s in suffixes]
        return np.stack([np.concatenate([w[g] for g in _ORDER[case.cell]]) for w in gates])

    biases = np.concatenate((of("bias_ih"), of("bias_hh")), axis=1)
    return {f"W{layer}": of("weight_ih"), f"R{layer}": of("weight_hh"), f"B{layer}": biases}


def _layer(case: Case, layer: int) -> list[Any]:
    """Nodes from the output of the layer below to this one's, (T, B, D·H)."""
    from onnx import helper

    x = "x" if layer == 0 else f"y_{layer - 1}"
    y = "y" if layer == case.layers - 1 else f"y_{layer}"
    initial = [f"{letter}0_{layer}" for letter in case.states]
    finals = [f"{letter}n_{layer}" for letter in case.states]
    nodes = [
        helper.make_node(
            case.cell.upper(),
            [x, *(f"{kind}{layer}" for kind in "WRB"), "", *initial],
            [f"raw_{layer}", *finals],
            hidden_size=case.H,
            direction="bidirectional" if case.bidirectional else "forward",
            **_ATTRIBUTES.get(case.cell, {}),
        )
    ]
    last = f"raw_{layer}"  # (T, D, B, H)
    if case.bidirectional:
        turned = f"turned_{layer}"
        nodes.append(helper.make_node("Transpose", [last], [turned], perm=[0, 2, 1, 3]))
        last = turned
    return [*nodes, helper.make_node("Reshape", [last, "y_shape"], [y])]
