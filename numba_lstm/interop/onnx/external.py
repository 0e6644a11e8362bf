"""External data: tensors of an ONNX file whose values stand in other files of its folder.

https://onnx.ai/onnx/repo-docs/ExternalData.html. A file from a stranger may name any file here. So
each is read only if it lies in the model's folder, links resolved, and has the bytes that the
tensor's sizes ask for. Where the model's own file is a link, the folder of what it leads to is the
model's, too, as onnxruntime has it: in the cache of Hugging Face all files of a repository are
links to files of one folder of that repository, ``snapshots/REVISION/NAME`` to ``blobs/HASH``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from ..._reading import open_ordinary
from .files import graphs_of

__all__ = ["read_external"]

_BITS = {"FLOAT4E2M1": 4, "INT4": 4, "UINT4": 4, "INT2": 2, "UINT2": 2}  # of which bytes hold some


def read_external(model: Any, name: str, path: str | None) -> None:
    """Read the values that stand in other files into the model, in place.

    Parameters
    ----------
    model : onnx.ModelProto
    name : str
        What messages call it.
    path : str or None
        Its file; None where it has none.

    Raises
    ------
    ValueError
        Naming the file and the tensor: if the values stand elsewhere than in the file's folder, or
        in that of the file which it is a link to, are more or fewer than its sizes say, or there is
        no such file.
    OSError
        If it cannot be read.
    """
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL:
            try:
                tensor.raw_data = _values(tensor, path)
            except ValueError as error:
                raise ValueError(f"{name}: tensor {tensor.name!r}: {error}") from None
            tensor.ClearField("data_location")
        del tensor.external_data[:]


def _values(tensor: Any, path: str | None) -> bytes:
    about = {one.key: one.value for one in tensor.external_data}
    location = about.get("location", "")
    if path is None:
        raise ValueError(
            f"its values stand in the file {location!r}: expected the path of the model, beside "
            "which that is, got no path"
        )
    file_path = _inside(path, location)
    wanted = _bytes_of(tensor)
    start = _number(about, "offset", 0)
    try:
        file = open_ordinary(file_path)
    except FileNotFoundError:
        raise ValueError(f"expected its values in {location!r}, got no such file") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        length = _number(about, "length", max(size - start, 0))
        if length != wanted or start + length > size:
            raise ValueError(
                f"expected {wanted} bytes of {tuple(tensor.dims)} values in {location!r}, got "
                f"{length} from byte {start} on of {size}"
            )
        file.seek(start)
        return file.read(length)


def _inside(path: str, location: str) -> str:
    """The file that a location names, which may not lead out of the model's folders."""
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    plain = not (posix.is_absolute() or windows.anchor or ".." in windows.parts)
    if not location or "\0" in location or not plain:
        raise ValueError(f"expected its values in the model's folder, got {location!r}")
    folder = os.path.realpath(os.path.dirname(path) or ".")
    found = os.path.realpath(os.path.join(folder, location))
    if not any(_below(root, found) for root in (folder, os.path.dirname(os.path.realpath(path)))):
        raise ValueError(
            f"expected its values in the model's folder, got {location!r}, a link out of it"
        )
    return found


def _below(root: str, path: str) -> bool:
    try:
        return os.path.commonpath([root, path]) == root
    except ValueError:  # two drives of Windows
        return False


def _bytes_of(tensor: Any) -> int:
    from onnx import TensorProto, helper

    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"expected sizes from 0 on, got {tuple(tensor.dims)}")
    count = math.prod(tensor.dims)
    try:
        kind = TensorProto.DataType.Name(tensor.data_type)
        bits = _BITS.get(kind) or 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, ValueError, TypeError):
        kind, bits = str(tensor.data_type), 0
    if kind == "STRING" or not bits:
        raise ValueError(f"expected a type of numbers, got {kind}")
    return -(-count * bits // 8)


def _number(about: dict[str, str], key: str, default: int) -> int:
    text = about.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"{key}: expected a number of bytes, got {text[:40]!r}")
    return int(text)


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor in a model: initializers and attributes, in graphs inside nodes, too."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_attributes(function.attribute_proto)
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    yield from _of_sparse(graph.sparse_initializer)
    yield from _of_nodes(graph.node)


def _of_sparse(tensors: Iterable[Any]) -> Iterator[Any]:
    for one in tensors:
        yield from (one.values, one.indices)


def _of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield from _of_attributes(node.attribute)


def _of_attributes(attributes: Any) -> Iterator[Any]:
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield from _of_sparse([attribute.sparse_tensor])
        yield from _of_sparse(attribute.sparse_tensors)
        for inside in graphs_of(attribute):
            yield from _of_graph(inside)
