"""Dictionaries of arrays as NumPy's ``.npz`` files; pickles are neither written nor read."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from .._damaged import DAMAGED
from .._files import write_atomic
from .._reading import open_ordinary
from ..typing import ArrayLike
from ._arrays import named_arrays

__all__ = ["load", "save"]

_DTYPES = frozenset(np.dtype(code) for code in "?bBhHiIlLqQefdgFD")


def save(
    state_dict: Mapping[str, ArrayLike], path: str | os.PathLike[str], *, compressed: bool = False
) -> None:
    """Write ``state_dict`` to ``path``, atomically, as ``numpy.savez`` would.

    Equal content gives equal bytes. Names may be any text, ``file`` and names with dots and slashes
    included, and no ``.npz`` is added to ``path``.

    Parameters
    ----------
    state_dict
        Arrays by name, of any layout and byte order; what `numba_lstm` takes as arrays anywhere.
    path
        The file to make or replace; after a crash it is either as it was or complete.
    compressed
        Whether to compress, as ``numpy.savez_compressed`` does. Trained floats hardly shrink.

    Raises
    ------
    TypeError
        When ``state_dict`` is no mapping, a name is not text or a value is not an array of numbers.
    ValueError
        When a value is ragged, or a name cannot stand in the file: one with a NUL character, or
        ``x.npy`` beside ``x``, as NumPy would read either for the other.
    OSError
        When the file cannot be written.
    """
    arrays = named_arrays(state_dict, _DTYPES)
    _check_names("state_dict", arrays)
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # its date is that of 1980, not of today
            member.compress_type = kind
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=True) as out:
                np.lib.format.write_array(out, array, allow_pickle=False)
    write_atomic(path, file.getvalue())


def load(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read all arrays of a ``.npz`` file; each is the caller's own, writable, in native order.

    Parameters
    ----------
    path
        The file, compressed or not. Text arrays, such as a vocabulary beside weights, are read too.

    Raises
    ------
    ValueError
        When the file is damaged or no ``.npz`` at all, or an array holds pickled objects, which are
        never read, or bytes without a dtype.
    OSError
        When it cannot be read.
    """
    place = os.fspath(path)
    with open_ordinary(path) as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except DAMAGED as error:
            raise ValueError(f"{place}: expected a whole .npz file: {error}") from None
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError(f"{place}: expected a .npz file, got the single array of a .npy file")
        with archive:
            _check_names(place, archive.files)
            return {name: _array(place, archive, name) for name in archive.files}


def _check_names(about: str, names: Iterable[str]) -> None:
    known = set(names)
    for name in sorted(known):
        if "\0" in name:
            raise ValueError(f"{about}: expected names without NUL characters, got {name!r}")
        if name.endswith(".npy") and name.removesuffix(".npy") in known:
            raise ValueError(
                f"{about}: expected one of {name.removesuffix('.npy')!r} and {name!r}, which a "
                ".npz file cannot tell apart, got both"
            )


def _array(path: str, archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        array = archive[name]
    except DAMAGED as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{path}: expected arrays of numbers or text, got pickled Python objects for "
                f"{name!r}, which are never read"
            ) from None
        raise ValueError(f"{path}: expected a whole array for {name!r}: {error}") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: expected arrays, got a file {name!r} that is none")
    if array.dtype.kind == "V" and array.dtype.names is None:
        raise ValueError(
            f"{path}: expected an array of numbers for {name!r}, got {array.dtype}: bytes whose "
            "dtype NumPy did not keep, such as bfloat16's; save it as float32"
        )
    return array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
