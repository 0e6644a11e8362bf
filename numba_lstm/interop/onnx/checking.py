"""What is checked of a model before anything is made of it: names that are text, known types."""

from __future__ import annotations

from typing import Any

from .files import label, subgraphs
from .folding import CONSTANT, is_recurrent

__all__ = ["check"]


def check(model: Any, name: str) -> None:
    """Check a model as a whole; what a single node lacks is found when that is made.

    Parameters
    ----------
    model : onnx.ModelProto
    name : str
        What messages call it.

    Raises
    ------
    ValueError
        Naming the file, and the node or value.
    """
    try:
        for one in (*model.graph.input, *model.graph.output):
            _check_type(one.name, one.type)
        _check_graph(model.graph)
        for function in model.functions:
            _check_texts("a function", function.name, function.domain)
            _check_nodes(function.node)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except RecursionError:
        raise ValueError(f"{name}: expected fewer graphs inside each other") from None


def _check_graph(graph: Any) -> None:
    for values in (graph.input, graph.output, graph.initializer, graph.value_info):
        _check_texts("a value", *(one.name for one in values))
    _check_nodes(graph.node)


def _check_nodes(nodes: Any) -> None:
    given: set[str] = set()
    for node in nodes:
        names = [one.name for one in node.attribute]
        _check_texts("a node", node.name, node.op_type, node.domain, *node.output)
        _check_texts(label(node), *node.input, *names)
        for value in filter(None, node.output):
            if value in given:
                raise ValueError(f"{label(node)}: output {value!r}: given by a node before, too")
            given.add(value)
        if is_recurrent(node):
            for attribute in names:
                if attribute.startswith(CONSTANT):  # these say here where weights are
                    raise ValueError(
                        f"{label(node)}: attribute {attribute}: not one of ONNX's {node.op_type}"
                    )
        for inside in subgraphs(node):
            _check_graph(inside)


def _check_texts(about: str, *texts: Any) -> None:
    """Refuse names that are no UTF-8, which protobuf gives as bytes."""
    for text in texts:
        if isinstance(text, bytes):
            raise ValueError(f"{about}: expected a name that is text, got the bytes {text[:40]!r}")


def _check_type(name: Any, proto: Any) -> None:
    from onnx import TensorProto

    which = proto.WhichOneof("value")
    if which in ("sequence_type", "optional_type"):
        _check_type(name, getattr(proto, which).elem_type)
    elif which == "tensor_type":
        number = proto.tensor_type.elem_type
        if number not in TensorProto.DataType.values():
            raise ValueError(f"value {name!r}: expected a type that ONNX has, got number {number}")
        _check_texts(f"value {name!r}", *(dim.dim_param for dim in proto.tensor_type.shape.dim))
