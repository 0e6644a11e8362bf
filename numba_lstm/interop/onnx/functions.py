"""A model's local functions put in the places where they are called."""

from __future__ import annotations

from typing import Any

from .files import subgraphs

__all__ = ["inlined"]

# What a model may have once its functions are inlined. Thirty functions that each call the next one
# twice would be a thousand million.
_MOST = 1_000_000
# The bytes that defaults may take, each in every call that lacks it: what protobuf can hold.
_MOST_BYTES = 2**31 - 1


def inlined(model: Any, name: str) -> Any:
    """Give the model without local functions.

    Parameters
    ----------
    model : onnx.ModelProto
    name : str
        What messages call it.

    Raises
    ------
    ValueError
        Naming the model, where a function calls itself, by way of others too, or there would be
        more than a million nodes, or 2 GB of defaults.
    """
    if not model.functions:
        return model
    from onnx import inliner

    count = _Count(model)
    try:
        total = count.nodes(model.graph.node)
    except RecursionError:
        raise ValueError(f"{name}: expected functions that do not call themselves") from None
    if total > _MOST:
        raise ValueError(
            f"{name}: expected at most {_MOST} nodes, its functions in place, got {total}"
        )
    _give_defaults(model, name)
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise ValueError(f"{name}: its functions cannot be put in place: {error}") from None


def _give_defaults(model: Any, name: str) -> None:
    """Give each call of a function the attributes that it lacks and the function has defaults for.

    onnx's inliner leaves them out.
    """
    defaults = {(one.domain, one.name): one.attribute_proto for one in model.functions}
    graphs, added = [model.graph, *model.functions], 0
    while graphs:
        for node in graphs.pop().node:
            graphs += subgraphs(node)
            told = {one.name for one in node.attribute}
            for one in defaults.get((node.domain, node.op_type), ()):
                if one.name not in told:
                    added += one.ByteSize()
                    if added > _MOST_BYTES:
                        raise ValueError(f"{name}: expected less than 2 GB of defaults")
                    node.attribute.add().CopyFrom(one)


class _Count:
    """How many nodes there will be."""

    def __init__(self, model: Any) -> None:
        self._functions = {(one.domain, one.name): one for one in model.functions}
        self._known: dict[tuple[str, str], int | None] = {}

    def nodes(self, nodes: Any) -> int:
        return sum(self._node(node) for node in nodes)

    def _node(self, node: Any) -> int:
        key = node.domain, node.op_type
        inside = sum(self.nodes(graph.node) for graph in subgraphs(node))
        if key not in self._functions:
            return 1 + inside
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self.nodes(self._functions[key].node)
        count = self._known[key]
        if count is None:
            raise RecursionError
        return count + inside
