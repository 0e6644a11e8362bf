"""The forms in which real numbers come: whatever layout, dtype and class an array can have."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from numba_lstm.nn import Parameter


class Tagged(np.ndarray):
    """A subclass that computes nothing: what is asked of it has to go to the array within."""

    def __array_ufunc__(self, *args: Any, **kws: Any) -> Any:
        raise AssertionError("arithmetic on the caller's array")


class WithArray:
    """An object that can be seen as an array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array


def strided(array: np.ndarray) -> np.ndarray:
    """Every second item along each axis of an array full of NaN."""
    wide = np.full([2 * n for n in array.shape], np.nan, array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array: np.ndarray) -> np.ndarray:
    """Negative strides along each axis."""
    return np.flip(np.flip(array).copy())


def unaligned(array: np.ndarray) -> np.ndarray:
    """One byte behind where an item may stand."""
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    return raw


def read_only(array: np.ndarray) -> np.ndarray:
    """Of which nothing may be written."""
    array = array.copy()
    array.flags.writeable = False
    return array


_numbers = itertools.count()


def mapped(folder: Path, mode: str) -> Any:
    """A form: an array in a file of `folder`, opened in `mode`."""

    def form(array: np.ndarray) -> np.ndarray:
        if not array.size:  # there are no empty maps
            return array
        path = folder / f"{next(_numbers)}.bin"
        array.tofile(path)
        return np.memmap(path, array.dtype, mode, shape=array.shape)

    return form


# Each takes an array and gives another form of its values, cast where the form has another dtype.
FORMS = {
    "plain": lambda a: a,
    "nested lists": lambda a: a.tolist(),
    "Fortran": np.asfortranarray,
    "strided": strided,
    "negative strides": backwards,
    "strides of 0": lambda a: np.broadcast_to(a[..., :1], a.shape),
    "read-only": read_only,
    "unaligned": unaligned,
    "a mask that hides nothing": lambda a: np.ma.array(a, mask=False),
    "subclass": lambda a: a.view(Tagged),
    "__array__": WithArray,
    "memoryview": lambda a: memoryview(np.ascontiguousarray(a)) if a.size else a,
    "Parameter": lambda a: Parameter(a) if a.size else a,
    "bool": lambda a: a > 0,
    **{t: lambda a, t=t: a.astype(t) for t in ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "g")},
    **{t: lambda a, t=t: np.abs(8 * a).astype(t) for t in ("i1", ">i2", "i8", ">u4")},
}

# What is no array of real numbers.
REFUSED = {
    "objects": lambda a: a.astype(object),
    "complex": lambda a: a.astype(complex),
    "text": lambda a: a.astype(str),
    "times": lambda a: a.astype("i8").astype("m8[s]"),
    "records": lambda a: a.view([("a", a.dtype)]),
    "hidden values": lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 0),
    "a set": lambda a: {1.0},
}
