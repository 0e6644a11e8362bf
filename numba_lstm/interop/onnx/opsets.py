"""Where ONNX's evaluator does not know an older opset: the same said with operators it knows."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .files import label, replace, subgraphs

__all__ = ["operators", "unify"]

# Attributes of older BatchNormalization, and the values that say what opset 14 says without them.
_PLAIN = {"spatial": 1, "is_test": 1}
# Before opset 13 these flattened their input to two axes at `axis`, and its default was 1.
_FLATTENING = {"Softmax", "LogSoftmax", "Hardmax"}


def unify(model: Any) -> None:
    """Rewrite in place what the evaluator would take for the newest opset's.

    Softmax and its like before opset 13, BatchNormalization before opset 14, and the domain
    "ai.onnx", which is the empty one.
    """
    for one in model.opset_import:
        if one.domain == "ai.onnx":
            one.domain = ""
    versions = [one.version for one in model.opset_import if one.domain == ""]
    _unify_graph(model.graph, max(versions, default=1))


def _unify_graph(graph: Any, version: int) -> None:
    nodes = []
    for number, node in enumerate(graph.node):
        if node.domain == "ai.onnx":
            node.domain = ""
        for inside in subgraphs(node):
            _unify_graph(inside, version)
        if version < 14 and node.domain == "" and node.op_type == "BatchNormalization":
            kept = [one for one in node.attribute if _PLAIN.get(one.name) != one.i]
            replace(node.attribute, kept)
        if version < 13 and node.domain == "" and node.op_type in _FLATTENING:
            nodes += _flattened(node, number)
        else:
            nodes.append(node)
    if len(nodes) != len(graph.node):
        replace(graph.node, nodes)


def _flattened(node: Any, number: int) -> list[Any]:
    """Flatten, the operator on the last axis, and Reshape to what the input was."""
    from onnx import helper

    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    (x,), (y,) = node.input, node.output
    shape, flat, result = (f"{y} {part} {number}" for part in ("shape", "flat", "result"))
    return [
        helper.make_node("Shape", [x], [shape]),
        helper.make_node("Flatten", [x], [flat], axis=axis),
        helper.make_node(node.op_type, [flat], [result], name=node.name, axis=1),
        helper.make_node("Reshape", [result, shape], [y]),
    ]


# Operators, ONNX's implementation of them that is right below an opset, and that opset.
# DequantizeLinear of opset 10 and 13 is that of 19 without the types that came later, but onnx
# looks for none below 19. BatchNormalization of one output normalises by the given mean and
# variance since opset 7, but below 14 onnx takes those of the batch, too.
_BELOW = (("DequantizeLinear", 19), ("BatchNormalization", 14))


@functools.cache
def operators(version: int) -> list[Any]:
    """ONNX's own implementations that it does not find itself for an older opset."""
    from onnx import defs
    from onnx.reference.ops import _op_list

    ours = (("Loop", _Loop), ("Scan", _Scan))
    found = [type(name, (own, getattr(_op_list, name)), {"op_domain": ""}) for name, own in ours]
    for name, newer in _BELOW:
        own = getattr(_op_list, f"{name}_{newer}", None)
        if version < newer and own is not None:
            schema = defs.get_schema(name, newer)
            found.append(type(name, (own,), {"op_domain": "", "op_schema": schema}))
    return found


class _Loop:
    """What is wrong with onnx's Loop put right; the other base is onnx's own.

    It takes an absent condition for a false one. It joins what the body gives at each step by
    ``numpy.vstack`` where the text stacks: two axes in front make a stack of that, but for one.
    And it fails where there is no step.
    """

    body: Any
    N: int
    K: int
    onnx_node: Any
    _run_body: Any

    def __init__(self, node: Any, run_params: dict[str, Any]) -> None:
        super().__init__(node, run_params)  # type: ignore[call-arg]
        names = list(enumerate(self.body.output_names))
        self.output_index = {name: at for at, name in reversed(names)}
        run_body, first = self._run_body, 1 + self.N

        def expanded(*given: Any, **options: Any) -> list[Any]:
            outputs = run_body(*given, **options)
            return [one if at < first else one[None, None] for at, one in enumerate(outputs)]

        self._run_body = expanded

    def _run(self, M: Any, cond: Any, *given: Any, **options: Any) -> tuple[Any, ...]:
        go_on = cond is None or bool(np.all(cond))
        if not go_on or (M is not None and np.all(M <= 0)):
            return (*given, *map(self._empty, range(self.K)))
        results = super()._run(M, np.array(True), *given, **options)  # type: ignore[misc]
        stacks = range(self.N, self.N + self.K)
        return tuple(one[:, 0] if at in stacks else one for at, one in enumerate(results))

    def _empty(self, number: int) -> np.ndarray:
        """A scan output of no steps: what the body says of it tells dtype and shape."""
        from onnx import helper

        tensor = self.body.output_types[1 + self.N + number].tensor_type
        if not tensor.elem_type:
            name = self.body.output_names[1 + self.N + number]
            raise ValueError(
                f"{label(self.onnx_node)}: expected a type of the body's output {name!r}, as the "
                "loop takes no step, got none"
            )
        shape = [0, *(max(dim.dim_value, 0) for dim in tensor.shape.dim)]
        return np.zeros(shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))


class _Scan:
    """onnx's Scan knows the first axis and the first direction only, and looks at the largest."""

    def __init__(self, node: Any, run_params: dict[str, Any]) -> None:
        for one in node.attribute:
            if one.name in _FIRST_ONLY and any(one.ints):
                raise ValueError(
                    f"{label(node)}: attribute {one.name}: expected 0 for each, got "
                    f"{list(one.ints)}, which cannot be run"
                )
        super().__init__(node, run_params)  # type: ignore[call-arg]


_FIRST_ONLY = {
    "scan_input_axes",
    "scan_input_directions",
    "scan_output_axes",
    "scan_output_directions",
}
