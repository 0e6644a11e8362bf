"""A case as an ONNX model: an LSTM, GRU or RNN node a layer; for the peers that run such models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .cases import Case
from .subject import Arrays, parameters

__all__ = ["feeds", "make_model", "results"]

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
    from ..interop.onnx.export_graph import Graph
    from ..interop.onnx.export_recurrent import add_layer, split
    from ..interop.weights import to_onnx

    graph, weights = Graph(np.float32, opset=17), parameters(arrays)
    value = graph.input("x", (case.T, case.B, case.I), "")
    state = (case.layers * case.directions, case.B, case.H)
    initial = [
        split(graph, name, graph.input(name, state, ""), case.layers)
        for name in (f"{letter}0" for letter in case.states)
    ]
    finals = []
    for layer in range(case.layers):
        value, ends = add_layer(
            graph,
            case.cell.upper(),
            value,
            to_onnx(weights, layer=layer),
            names=("", f"_l{layer}"),
            initial=[some[layer] for some in initial],
            **_ATTRIBUTES.get(case.cell, {}),
        )
        finals.append(ends)
    graph.output("y", value, "")
    for letter, layers in zip(case.states, zip(*finals)):
        for layer, end in enumerate(layers):
            graph.output(f"{letter}n_{layer}", end, "")
    return graph.model("stack").SerializeToString()
