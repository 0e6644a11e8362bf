"""Arrays of whole numbers: token ids and the lengths of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..foreign import describe
from .arrays import one_form, real_array, wrong_ndim

__all__ = ["as_lengths", "as_tokens"]

_ndarray = np.ndarray
_int64 = np.dtype(np.int64)


def as_tokens(name: str, value: Any, limit: int, ndim: int | None = None) -> np.ndarray:
    """Bring token ids to a C-contiguous int64 array and check that they are below `limit`.

    Parameters
    ----------
    name : str
        The argument's name.
    value : array_like of int
        Token ids, of any integer dtype and any shape; an empty list is an empty array.
    limit : int
        Every id must be at least 0 and below this.
    ndim : int, optional
        The number of dimensions it must have.

    Returns
    -------
    numpy.ndarray of int64
        `value` itself where it has the right form already, else a new array.

    Raises
    ------
    TypeError
        If the ids are anything but integers: booleans, floats, complex numbers, objects, None.
    ValueError
        If an id is out of range (the message names the first one and its place), or `ndim` differs.
    """
    if type(value) is _ndarray and value.dtype == _int64 and value.flags.carray:
        tokens = value
    else:
        array = real_array(name, value)
        if array.size == 0 and not hasattr(value, "dtype"):
            array = array.astype(_int64)  # NumPy makes float64 of an empty list
        if array.dtype.kind not in "iu":
            raise TypeError(f"{name}: expected integers, got {describe(value, array)}")
        if array.dtype.kind == "u" and array.dtype.itemsize == 8:
            _check_tokens(name, array, array.astype(np.uint64, copy=False), limit)
        tokens = one_form(array, _int64)
    if ndim is not None and tokens.ndim != ndim:
        raise ValueError(wrong_ndim(name, tokens, ndim))
    if tokens.size:
        # A negative id, seen as unsigned, is a huge one: one comparison finds both kinds.
        _check_tokens(name, tokens, tokens.view(np.uint64), limit)
    return tokens


def as_lengths(name: str, value: Any, most: int, batch: int | None = None) -> np.ndarray:
    """Check how long sequences are: (B,) whole numbers from 0 to `most`.

    Parameters
    ----------
    name : str
        The argument's name.
    value : array_like of int
        Lengths, of any integer dtype.
    most : int
        The steps of the longest sequence that there may be.
    batch : int, optional
        B, how many there must be.

    Returns
    -------
    numpy.ndarray of int64, (B,)
        A new array.

    Raises
    ------
    TypeError
        If they are no integers.
    ValueError
        If there are not B of them, or one is out of range.
    """
    lengths = real_array(name, value)
    if lengths.size == 0 and not hasattr(value, "dtype"):
        lengths = lengths.astype(_int64)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got an array of {lengths.dtype}")
    if lengths.ndim != 1 or batch not in (None, lengths.size):
        expected = "B" if batch is None else batch
        raise ValueError(f"{name}: expected shape ({expected},), got {lengths.shape}")
    wrong = (lengths < 0) | (lengths > most)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"{name}: expected 0 to {most}, got {int(lengths[place])} at index {place}"
        )
    return lengths.astype(_int64)


def _check_tokens(name: str, tokens: np.ndarray, unsigned: np.ndarray, limit: int) -> None:
    if unsigned.size == 0 or unsigned.max() < limit:
        return
    place = np.unravel_index(int(np.argmax(unsigned >= limit)), tokens.shape)
    where = f" at index ({', '.join(str(int(i)) for i in place)})" if place else ""
    raise ValueError(f"{name}: expected ids from 0 to {limit - 1}, got {int(tokens[place])}{where}")
