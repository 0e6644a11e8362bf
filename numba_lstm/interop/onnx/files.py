"""An ONNX file as ONNX's own classes, and how messages call it and its nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..._reading import read_bytes

__all__ = [
    "UNUSED",
    "Source",
    "attribute_values",
    "graphs_of",
    "label",
    "package",
    "read",
    "replace",
    "source_name",
    "subgraphs",
]

# What a user may give: a file's path, its bytes, or an onnx.ModelProto.
Source = Any

# What protobuf can read.
_LARGEST = 2**31 - 1

# How the names begin that outputs get which nobody wants.
UNUSED = "numba_lstm unused "


def package() -> Any:
    """Import the package onnx.

    Raises
    ------
    ImportError
        If it is absent, saying how to get it.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError(
            "interop.onnx needs the package onnx: pip install 'numba_lstm[onnx]'"
        ) from None
    return onnx


def source_name(source: Source) -> str:
    """Give what messages call a source: a file's path, or what it is."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return "model"


def read(source: Source) -> Any:
    """Read a model; it is the caller's own, to change. External data is left where it is.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto

    Raises
    ------
    ValueError
        Naming the file, when it is damaged, cut short, no ONNX model at all, or no regular file.
    TypeError
        When the source is none of these.
    OSError
        When the file cannot be read.
    """
    onnx = package()
    name = source_name(source)
    if isinstance(source, onnx.ModelProto):
        model = onnx.ModelProto()
        model.CopyFrom(source)
    elif isinstance(source, bytes):
        model = _parsed(name, source)
    elif isinstance(source, (str, os.PathLike)):
        model = _parsed(name, read_bytes(source, _LARGEST))
    else:
        raise TypeError(
            f"path: expected a file, bytes or an onnx.ModelProto, got {type(source).__name__}"
        )
    if not model.HasField("graph") or not model.graph.output:
        raise ValueError(f"{name}: expected an ONNX model, got one without outputs; is it whole?")
    if not model.opset_import:
        raise ValueError(f"{name}: expected an ONNX model, got one without opset; is it whole?")
    return model


def _parsed(name: str, content: bytes) -> Any:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        return ModelProto.FromString(content)
    except DecodeError as error:
        raise ValueError(
            f"{name}: expected a whole ONNX file, got {len(content)} bytes that cannot be read as "
            f"one ({error})"
        ) from None


def label(node: Any) -> str:
    """Give what messages call a node: its name, or else the first output that has one."""
    if node.name:
        return f"node {node.name!r} ({node.op_type})"
    output = next((name for name in node.output if name and not name.startswith(UNUSED)), "")
    return f"the node of {output!r} ({node.op_type})"


def subgraphs(node: Any) -> Iterator[Any]:
    """Yield the graphs inside a node: branches of If, bodies of Loop and Scan."""
    for attribute in node.attribute:
        yield from graphs_of(attribute)


def graphs_of(attribute: Any) -> Iterator[Any]:
    """Yield the graphs of one attribute."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def attribute_values(node: Any) -> dict[str, Any]:
    """A node's attributes by name: numbers, arrays, lists; text as str."""
    from onnx import helper, numpy_helper

    values = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.HasField("t"):
            value = numpy_helper.to_array(value)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], bytes):
            value = [one.decode("utf-8", "replace") for one in value]
        values[attribute.name] = value
    return values


def replace(field: Any, values: list[Any]) -> None:
    """Let a repeated field of a message hold these messages; some may stand in it already."""
    copies = []
    for value in values:
        copies.append(type(value)())
        copies[-1].CopyFrom(value)
    del field[:]
    field.extend(copies)
