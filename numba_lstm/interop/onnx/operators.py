"""LSTM, GRU and RNN for ONNX's reference evaluator, on this library's kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .attributes import OPERATORS, Attributes, read_attributes
from .constants import Constants
from .files import attribute_values, label
from .folding import CONSTANT
from .layer import Layer
from .node_weights import check_weights

__all__ = ["NodeError", "operators", "read_node"]


def read_node(node: Any) -> tuple[Attributes, dict[str, int]]:
    """Give a recurrent node's attributes, checked, and the numbers of its constants by role.

    Raises
    ------
    ValueError
        Naming the node and the attribute.
    """
    values = attribute_values(node)
    numbers = {
        name.removeprefix(CONSTANT): values.pop(name)
        for name in list(values)
        if name.startswith(CONSTANT)
    }
    return read_attributes(label(node), node.op_type, values), numbers


class NodeError(ValueError):
    """A recurrent node cannot take what it is given; the message names both."""


class _Recurrent:
    """What the three operators share; the other base is onnx.reference.op_run.OpRun."""

    constants: Constants  # the graph's

    def __init__(self, node: Any, run_params: dict[str, Any]) -> None:
        super().__init__(node, run_params)  # type: ignore[call-arg]
        self.read, self.numbers = read_node(node)
        self.layer: Layer | None = None
        varying = [name for name in node.input[1:4] if name] + list(node.input[7:8])
        if not any(varying):
            self.layer = self.constants.made_of(self.read, self.numbers, self._packed)

    def _packed(self, weights: Mapping[str, Any]) -> Layer:
        return Layer(self.read, check_weights(self.read, **{"W": None, "R": None, **weights}))

    def _run(
        self,
        X: Any,
        W: Any = None,
        R: Any = None,
        B: Any = None,
        sequence_lens: Any = None,
        initial_h: Any = None,
        initial_c: Any = None,
        P: Any = None,
        **attributes: Any,
    ) -> tuple[Any, ...]:
        try:
            given = {"W": W, "R": R, "B": B, "P": P}
            return self._results(X, given, (sequence_lens, initial_h, initial_c))
        except ValueError as error:
            raise NodeError(str(error)) from None

    def _results(self, x: Any, given: dict[str, Any], others: tuple[Any, ...]) -> tuple[Any, ...]:
        layer = self.layer
        if layer is None:  # weights that the caller gives: packed for this run only
            constants = {role: self.constants[number] for role, number in self.numbers.items()}
            layer = self._packed(given | constants)
        results = layer.run(x, *others)
        return results if self.read.operator == "LSTM" else results[:2]


def operators(constants: Constants) -> list[Any]:
    """Give the classes, which onnx finds by their names, for a graph with these constants."""
    from onnx.reference.op_run import OpRun

    about = {"op_domain": "", "constants": constants}
    return [type(name, (_Recurrent, OpRun), about) for name in OPERATORS]
