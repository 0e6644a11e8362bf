"""What stands behind a stack of recurrent layers: linear layers and functions of each element.

Only a chain of them is read, on y of all steps, as a `Sequential` has it. Nodes that move values
are passed by; whether they only do what the modules imply is seen when the graph runs on numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nn import Linear, ReLU, Sigmoid, Softmax, Tanh
from ...nn.module import Module
from .files import label
from .folding import is_recurrent
from .preparing import Prepared

__all__ = ["MOVERS", "Head", "close", "read_head"]

# Nodes that compute nothing.
MOVERS = {
    "Cast", "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice",
    "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
_FUNCTIONS: dict[str, Any] = {"Relu": ReLU, "Sigmoid": Sigmoid, "Softmax": Softmax, "Tanh": Tanh}


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether a module gave what a graph gave; nodes of float16 and bfloat16 round that."""
    rtol, atol = (1e-4, 1e-5) if wanted.dtype.itemsize > 2 else (1e-2, 1e-2)
    return np.allclose(found, wanted.astype(found.dtype), rtol=rtol, atol=atol)


class Head:
    """The modules of a head.

    Attributes
    ----------
    modules : list of Module
        Empty where there is none.
    values : set of str
        What its nodes give.
    """

    def __init__(self) -> None:
        self.modules: list[Module] = []
        self.values: set[str] = set()
        self._last = ""

    def check(self, graph: Any, module: Module, values: Any, x: Any, lengths: Any) -> None:
        """Check that a module of stack and head gives what the graph gave.

        Parameters
        ----------
        graph : onnx.GraphProto
        module : Sequential
        values : mapping of str to numpy.ndarray
            All values of a run.
        x, lengths : numpy.ndarray
            What the module takes to give the same.

        Raises
        ------
        ValueError
        """
        outputs = [one.name for one in graph.output]
        if len(outputs) != 1 or outputs[0] not in self.values:
            raise ValueError(
                f"expected the head's as the only output of the graph, got {', '.join(outputs)}"
            )
        found, wanted = module(x, lengths), values[outputs[0]]  # type: ignore[operator]
        if found.shape != wanted.shape:
            raise ValueError(
                f"{self._last}: expected a head on y of all steps, {found.shape} in a trial, "
                f"got {wanted.shape}"
            )
        if not close(found, wanted):
            raise ValueError(f"{self._last}: expected the head's layers on y, got something else")

    def add(self, node: Any, module: Module | None) -> None:
        """Take a node, and the module that it is; None: it belongs to the one before."""
        self.values.update(node.output)
        self._last = label(node)
        if module is not None:
            self.modules.append(module)


def read_head(ready: Prepared, last: Any) -> Head:
    """Read what follows the last recurrent node.

    Parameters
    ----------
    ready : Prepared
    last : onnx.NodeProto
        The recurrent node.

    Raises
    ------
    ValueError
        Naming the first node that belongs to no head.
    """
    head, graph = Head(), ready.model.graph
    arrays = {one.name: ready.constants.array(one) for one in graph.initializer}
    moved = set(last.output)  # what only moves the last value there is
    for node in graph.node:
        if node is last or is_recurrent(node) or moved.isdisjoint(node.input):
            continue
        if node.domain == "" and node.op_type in MOVERS:
            moved.update(node.output)
            if head.modules:
                head.add(node, None)
            continue
        if node.domain == "" and node.op_type in ("Shape", "Size"):
            continue
        head.add(node, _module(head, node, moved, arrays))
        moved = set(node.output)
    return head


def _module(head: Head, node: Any, moved: set[str], arrays: dict[str, np.ndarray]) -> Module | None:
    """What a node is; None where its values were put in the module before."""
    kind = node.op_type if node.domain == "" else ""
    known = [arrays.get(name) for name in node.input]
    if kind in _FUNCTIONS:
        return _FUNCTIONS[kind]()
    if kind == "MatMul" and node.input[0] in moved and known[1] is not None:
        return _linear(node, known[1].T)
    if kind == "Gemm" and node.input[0] in moved and known[1] is not None and _is_plain(node):
        turned = any(one.name == "transB" and one.i for one in node.attribute)
        linear = _linear(node, known[1] if turned else known[1].T)
        if len(node.input) > 2 and node.input[2]:
            _add_bias(linear, node, known[2])
        return linear
    if kind == "Add" and head.modules and isinstance(head.modules[-1], Linear):
        bias = next((one for one in known if one is not None), None)
        _add_bias(head.modules[-1], node, bias)
        return None
    raise ValueError(
        f"{label(node)}: expected recurrent layers, what moves values between them, and a head of "
        f"linear layers, {', '.join(_FUNCTIONS)}; got {node.op_type}"
    )


def _is_plain(node: Any) -> bool:
    """Whether a Gemm is x·W or x·Wᵀ."""
    values = {one.name: one.i if one.type == one.INT else one.f for one in node.attribute}
    return (values.get("alpha", 1), values.get("beta", 1), values.get("transA", 0)) == (1, 1, 0)


def _linear(node: Any, weight: np.ndarray) -> Linear:
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(f"{label(node)}: expected a matrix of weights, got {weight.shape}")
    dtype = np.float64 if weight.dtype == np.float64 else np.float32
    wide, features = weight.shape
    linear = Linear(features, wide, dtype=dtype, seed=0)
    linear.load_state_dict({"weight": weight, "bias": np.zeros(wide)})
    return linear


def _add_bias(linear: Module, node: Any, bias: np.ndarray | None) -> None:
    assert isinstance(linear, Linear)
    wide = linear.out_features
    if bias is None or bias.size not in (1, wide) or bias.shape[-1:] not in ((), (1,), (wide,)):
        came = "none that is constant" if bias is None else str(bias.shape)
        raise ValueError(f"{label(node)}: expected a bias ({wide},), got {came}")
    state = linear.state_dict()
    linear.load_state_dict(state | {"bias": state["bias"] + bias.reshape(-1)})
