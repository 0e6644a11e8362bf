"""Arrays of real numbers, brought to the one form that kernels are compiled for.

Kernels are compiled for C-contiguous, aligned, native, writeable arrays of one dtype; each other
form would compile another specialisation. What has the right form already passes without a copy,
in less than a microsecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..foreign import as_array, describe
from ..quiet import without_errors

__all__ = ["as_cotangent", "as_float", "as_input", "one_form", "real_array", "wrong_ndim"]

Shape = Sequence[int | str | None]

_ndarray = np.ndarray
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_float(
    name: str,
    value: Any,
    dtype: np.dtype,
    ndim: int | None = None,
    shape: Shape | None = None,
) -> np.ndarray:
    """Bring an argument to a C-contiguous, aligned, native array of `dtype`.

    Parameters
    ----------
    name : str
        The argument's name, with which every message begins.
    value : array_like
        Real numbers: nested lists, or an array of any real dtype, byte order and layout.
    dtype : numpy.dtype
        float32 or float64.
    ndim : int, optional
        The number of dimensions it must have. Not needed where `shape` is given.
    shape : sequence of int, str or None, optional
        The shape it must have. A string or None stands for any length; the string is what a message
        calls it.

    Returns
    -------
    numpy.ndarray
        `value` itself where it has the right form already, else a new array.

    Raises
    ------
    TypeError
        If `value` is None, or is complex, text, or objects, or is a masked array that hides values.
    ValueError
        If it is ragged, or has another shape or number of dimensions.

    Examples
    --------
    >>> as_float("x", [[1, 2]], np.dtype("float32"), shape=("T", 2))
    array([[1., 2.]], dtype=float32)
    """
    # carray: C-contiguous, aligned and writeable. A read-only array would be another Numba type.
    if type(value) is _ndarray and value.dtype == dtype and value.flags.carray:
        array = value
    else:
        array = one_form(real_array(name, value), dtype)
    if shape is not None:
        if array.shape != shape:
            _check_shape(name, array.shape, shape)
    elif ndim is not None and array.ndim != ndim:
        raise ValueError(wrong_ndim(name, array, ndim))
    return array


def as_input(name: str, value: Any) -> np.ndarray:
    """Like `as_float` where there are no parameters to have a dtype: float64 stays float64.

    Parameters
    ----------
    name : str
        The argument's name.
    value : array_like
        Every other real dtype becomes float32; so do nested lists.

    Returns
    -------
    numpy.ndarray
        `value` itself where it has the right form already, else a new array.

    Raises
    ------
    TypeError, ValueError
        As `as_float`.
    """
    if type(value) is _ndarray:
        of_python = False
    else:
        of_python = isinstance(value, (list, tuple)) or type(value) in (int, float, bool)
        value = real_array(name, value)
    wide = value.dtype.kind == "f" and value.dtype.itemsize == 8 and not of_python
    return as_float(name, value, _FLOATS[wide])


def as_cotangent(name: str, value: Any, dtype: np.dtype, shape: Sequence[int]) -> np.ndarray:
    """Like `as_float` for an output's cotangent: None means zero, and gives an array of zeros.

    Parameters
    ----------
    name : str
        The argument's name.
    value : array_like or None
        The cotangent.
    dtype : numpy.dtype
        float32 or float64.
    shape : sequence of int
        The output's shape, which the cotangent must have.

    Returns
    -------
    numpy.ndarray
        Of `shape` and `dtype`.

    Raises
    ------
    TypeError, ValueError
        As `as_float`.
    """
    if value is None:
        return np.zeros(tuple(shape), dtype)
    return as_float(name, value, dtype, shape=shape)


def real_array(name: str, value: Any) -> np.ndarray:
    """Turn an argument into an array of real numbers of whatever dtype and layout it has.

    Parameters
    ----------
    name : str
        The argument's name.
    value : array_like
        Booleans count as numbers. Arrays of other libraries are taken as `foreign.as_array` says.

    Returns
    -------
    numpy.ndarray
        Exactly an ndarray, of kind bool, integer or float. It may be `value` itself, or share its
        memory.

    Raises
    ------
    TypeError
        If `value` is None, or is complex, text, or objects, or is a masked array that hides values.
    ValueError
        If it is ragged.
    """
    array = as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got {describe(value, array)}")
    return array


@without_errors  # a float64 may be too small or too large for float32
def one_form(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Give C-contiguous, aligned, writeable and native; the array itself where it is that."""
    return np.require(array, dtype, ("C", "A", "W"))


def _check_shape(name: str, shape: tuple[int, ...], expected: Shape) -> None:
    if len(shape) == len(expected):
        for got, want in zip(shape, expected):
            if got != want and not (want is None or isinstance(want, str)):
                break
        else:
            return
    words = ["any" if want is None else str(want) for want in expected]
    text = f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
    raise ValueError(f"{name}: expected shape {text}, got {shape}")


def wrong_ndim(name: str, array: np.ndarray, ndim: int) -> str:
    """Say what is wrong where there are not `ndim` dimensions."""
    return f"{name}: expected {ndim} dimensions, got {array.ndim} (shape {array.shape})"
