"""State dicts as safetensors files, byte for byte what torch's own tools read and write.

The format: https://huggingface.co/docs/safetensors. A file holds named arrays and one optional
mapping of text to text, the *metadata*.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from .._files import write_atomic
from .._reading import open_ordinary
from ..typing import ArrayLike
from ._arrays import named_arrays

__all__ = ["load", "load_metadata", "load_with_metadata", "save"]

_NUMPY_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
    "C64": "<c8",
}
_NATIVE = {kind: np.dtype(stored).newbyteorder("=") for kind, stored in _NUMPY_DTYPES.items()}
_DTYPES = frozenset(_NATIVE.values())
_METADATA = "__metadata__"
_LARGEST_HEADER = 100_000_000  # the format's own limit


def save(
    state_dict: Mapping[str, ArrayLike],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``state_dict`` to ``path``, atomically.

    Parameters
    ----------
    state_dict
        Arrays by name, of any layout and byte order; what `numba_lstm` takes as arrays anywhere,
        torch's tensors on the CPU included. bfloat16 is written as float32, with the same values.
    path
        The file to make or replace; after a crash it is either as it was or complete. A new one
        has the permissions that the umask leaves.
    metadata
        Text by name, kept in the file's header.

    Raises
    ------
    TypeError
        When ``state_dict`` is no mapping, a name is not text, a value is not an array of numbers,
        or ``metadata`` is not text by name.
    ValueError
        When a value is ragged, or a name is ``__metadata__``, which is the format's own.
    OSError
        When the file cannot be written.
    """
    write_atomic(path, serialized(state_dict, metadata))


def serialized(
    state_dict: Mapping[str, ArrayLike], metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return what `save` writes.

    Parameters
    ----------
    state_dict, metadata
        As `save` takes them.

    Raises
    ------
    TypeError, ValueError
        As by `save`.
    """
    from safetensors.numpy import save as serialize

    arrays = named_arrays(state_dict, _DTYPES)
    if _METADATA in arrays:
        raise ValueError(f"state_dict: expected other names than {_METADATA!r}, the format's own")
    about = dict(metadata or {})
    for name, text in about.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise TypeError(f"metadata: expected text by name, got {name!r}: {text!r}")
    return serialize(arrays, about or None)


def load(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the arrays of a safetensors file; each is the caller's own and writable.

    Parameters
    ----------
    path
        The file. bfloat16 arrays, which NumPy lacks, come as float32 with the same values; float16
        stays, and `Module.load_state_dict` casts it to the module's dtype.

    Raises
    ------
    ValueError
        When the file is damaged, cut short, no safetensors file at all, or holds a dtype that
        NumPy has no equal for.
    OSError
        When it cannot be read.
    """
    return load_with_metadata(path)[0]


def load_with_metadata(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file.

    Parameters
    ----------
    path
        The file, read as by `load`.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
    metadata : dict of str to str
        Empty where the file has none.

    Raises
    ------
    ValueError, OSError
        As by `load`.
    """
    from safetensors import SafetensorError, deserialize

    with open_ordinary(path) as file:
        header = _header(path, file)
        file.seek(0)
        data = file.read()
    try:
        entries = deserialize(data)
    except SafetensorError as error:
        raise ValueError(
            f"{os.fspath(path)}: expected a whole safetensors file, got {len(data)} bytes "
            f"that cannot be read as one ({error})"
        ) from None
    return {name: _array(path, name, entry) for name, entry in entries}, _metadata(header)


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the metadata of a safetensors file, and none of its arrays.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict of str to str
        Empty where the file has none.

    Raises
    ------
    ValueError, OSError
        As by `load`.
    """
    with open_ordinary(path) as file:
        return _metadata(_header(path, file))


def _metadata(header: Mapping[str, Any]) -> dict[str, str]:
    return dict(header.get(_METADATA) or {})


def _header(path: str | os.PathLike[str], file: IO[bytes]) -> dict[str, Any]:
    """Read the file's header, which tells of all arrays; ValueError where it cannot be right."""
    found = _read_header(file)
    if isinstance(found, str):
        raise ValueError(f"{os.fspath(path)}: expected a whole safetensors file, got {found}")
    return found


def _read_header(file: IO[bytes]) -> dict[str, Any] | str:
    """The header, or what is wrong with it."""
    size = os.fstat(file.fileno()).st_size
    if size < 8:
        return f"{size} bytes"
    (length,) = struct.unpack("<Q", file.read(8))
    if not 2 <= length <= min(size - 8, _LARGEST_HEADER):
        return f"a header of {length} bytes in a file of {size}"
    try:
        header: dict[str, Any] = json.loads(file.read(length))
        ends = [about["data_offsets"][1] for name, about in header.items() if name != _METADATA]
        last = max(ends, default=0)
        words = (header.get(_METADATA) or {}).values()
        if not all(isinstance(word, str) for word in words):
            raise TypeError("metadata that are no text by name")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        return f"a header that cannot be read as one ({type(error).__name__}: {error})"
    if last != size - 8 - length:
        return f"{size - 8 - length} bytes of arrays where the header says {last}"
    return header


def _array(path: str | os.PathLike[str], name: str, entry: Mapping) -> np.ndarray:
    """One array out of the file's bytes, in memory of its own."""
    kind, shape, raw = entry["dtype"], entry["shape"], entry["data"]
    if kind == "BF16":
        # bfloat16 is the upper half of a float32.
        upper = np.frombuffer(raw, "<u2").astype(np.uint32) << np.uint32(16)
        return upper.view(np.float32).reshape(shape)
    if kind not in _NUMPY_DTYPES:
        raise ValueError(
            f"{os.fspath(path)}: expected arrays of a dtype that NumPy has, got {kind} for {name!r}"
        )
    return np.frombuffer(raw, _NUMPY_DTYPES[kind]).reshape(shape).astype(_NATIVE[kind])
