"""LSTM, GRU and RNN for ONNX's reference evaluator, on this library's kernels."""

from __future__ import annotations

import functools
from typing import Any

from .attributes import OPERATORS, Attributes, read_attributes
from .files import attribute_values, label
from .folding import CONSTANT
from .layer import Layer
from .node_weights import check_weights

__all__ = ["operators", "read_node"]


def read_node(node: Any) -> tuple[Attributes, dict[str, Any]]:
    """Give a recurrent node's attributes, checked, and its constant weights by role.

    Raises
    ------
    ValueError
        Naming the node and the attribute.
    """
    values = attribute_values(node)
    constants = {
        name.removeprefix(CONSTANT): values.pop(name)
        for name in list(values)
        if name.startswith(CONSTANT)
    }
    return read_attributes(label(node), node.op_type, values), constants


class _Recurrent:
    """What the three operators share; the other base is onnx.reference.op_run.OpRun."""

    def __init__(self, node: Any, run_params: dict[str, Any]) -> None:
        super().__init__(node, run_params)  # type: ignore[call-arg]
        self.read, self.constants = read_node(node)
        self.layer: Layer | None = None
        varying = [name for name in node.input[1:4] if name] + list(node.input[7:8])
        if not any(varying):
            self.layer = Layer(self.read, check_weights(self.read, **self._weights({})))
            for role in self.constants:  # packed by now; the base read them, too
                setattr(self, CONSTANT + role, None)
            self.constants = {}

    def _weights(self, given: dict[str, Any]) -> dict[str, Any]:
        return {role: self.constants.get(role, given.get(role)) for role in "WRBP"}

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
        layer = self.layer
        if layer is None:  # weights that the caller gives: packed for this run only
            given = self._weights({"W": W, "R": R, "B": B, "P": P})
            layer = Layer(self.read, check_weights(self.read, **given))
        results = layer.run(X, sequence_lens, initial_h, initial_c)
        return results if self.read.operator == "LSTM" else results[:2]


@functools.cache
def operators() -> list[Any]:
    """Give the classes, which onnx finds by their names."""
    from onnx.reference.op_run import OpRun

    return [type(name, (_Recurrent, OpRun), {"op_domain": ""}) for name in OPERATORS]
