"""What every module does to its arguments first: refuse what cannot be meant, unify the rest.

Kernels are compiled for C-contiguous, aligned, native, writeable arrays of one dtype; each other
form would compile another specialisation. So everything a caller passes goes through here, and
what has the right form already passes without a copy, in less than a microsecond.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..foreign import as_array, describe
from ..quiet import without_errors

__all__ = [
    "as_cotangent",
    "as_float",
    "as_input",
    "as_lengths",
    "as_tokens",
    "choice",
    "dtype",
    "flag",
    "generator",
    "positive",
    "probability",
    "real_array",
    "size",
]

Shape = Sequence[int | str | None]

_ndarray = np.ndarray
_int64 = np.dtype(np.int64)
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
        array = _one_form(real_array(name, value), dtype)
    if shape is not None:
        if array.shape != shape:
            _check_shape(name, array.shape, shape)
    elif ndim is not None and array.ndim != ndim:
        raise ValueError(_wrong_ndim(name, array, ndim))
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
        tokens = _one_form(array, _int64)
    if ndim is not None and tokens.ndim != ndim:
        raise ValueError(_wrong_ndim(name, tokens, ndim))
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


def size(name: str, value: Any, minimum: int = 1) -> int:
    """Check a whole number such as a layer's width.

    Parameters
    ----------
    name : str
        The argument's name.
    value : int
        Python's or NumPy's integer.
    minimum : int
        The least that is allowed.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If it is no integer; a bool and a float such as 2.0 are none.
    ValueError
        If it is below `minimum`.
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {describe(value)}") from None
    if number < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {number}")
    return number


def probability(name: str, value: Any) -> float:
    """Check a probability.

    Parameters
    ----------
    name : str
        The argument's name.
    value : float
        A real number from 0 to 1, both included.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If it is no real number (a bool is none).
    ValueError
        If it is NaN or outside 0..1.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number from 0 to 1, got {describe(value)}")
    number = float(value)
    if math.isnan(number) or not 0.0 <= number <= 1.0:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {number}")
    return number


def flag(name: str, value: Any) -> bool:
    """Check a switch: nothing but a boolean, for 'False' and 'relu' would count as true.

    Parameters
    ----------
    name : str
        The argument's name.
    value : bool
        Python's or NumPy's boolean.

    Returns
    -------
    bool

    Raises
    ------
    TypeError
        If it is none; 0 and 1 are none.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{name}: expected True or False, got {describe(value)}")


def positive(name: str, value: Any) -> float:
    """Check a number above 0, infinity included.

    Parameters
    ----------
    name : str
        The argument's name.
    value : float
        A real number.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If it is no real number (a bool is none).
    ValueError
        If it is NaN or not above 0.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number above 0, got {describe(value)}")
    number = float(value)
    if not number > 0.0:  # nor is NaN
        raise ValueError(f"{name}: expected a number above 0, got {number}")
    return number


def dtype(value: Any, name: str = "dtype") -> np.dtype:
    """Check a module's dtype.

    Parameters
    ----------
    value : dtype_like
        Anything NumPy understands as float32 or float64.
    name : str
        The argument's name.

    Returns
    -------
    numpy.dtype
        float32 or float64, native.

    Raises
    ------
    TypeError
        If NumPy understands no dtype by it, or it is None.
    ValueError
        If it is another dtype.
    """
    if value is None:  # to NumPy None is float64, which nobody means here
        raise TypeError(f"{name}: expected float32 or float64, got None")
    try:
        found = np.dtype(value)
    except TypeError:
        raise TypeError(f"{name}: expected float32 or float64, got {value!r}") from None
    for known in _FLOATS:
        if found == known:
            return known
    raise ValueError(f"{name}: expected float32 or float64, got {found}")


def generator(seed: Any = None, name: str = "seed") -> np.random.Generator:
    """Make a random generator, never NumPy's global one.

    Parameters
    ----------
    seed : None, int or numpy.random.Generator
        None asks the operating system for fresh randomness; a generator is returned as it is, so
        that several modules may share one.
    name : str
        The argument's name.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If it is a negative integer.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is None:
        return np.random.default_rng()
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)):
        raise TypeError(
            f"{name}: expected None, an integer or a numpy.random.Generator, got {describe(seed)}"
        )
    if seed < 0:
        raise ValueError(f"{name}: expected at least 0, got {seed}")
    return np.random.default_rng(int(seed))


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    """Check that an argument is one of a few names.

    Parameters
    ----------
    name : str
        The argument's name.
    value : str
        What came.
    options : sequence of str
        What may come.

    Returns
    -------
    str
        `value`.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(value, str) and value in options:
        return value
    expected = " or ".join(repr(option) for option in options)
    raise ValueError(f"{name}: expected {expected}, got {value!r}")


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
def _one_form(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """C-contiguous, aligned, writeable and native; the array itself where it is that."""
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


def _check_tokens(name: str, tokens: np.ndarray, unsigned: np.ndarray, limit: int) -> None:
    if unsigned.size == 0 or unsigned.max() < limit:
        return
    place = np.unravel_index(int(np.argmax(unsigned >= limit)), tokens.shape)
    where = f" at index ({', '.join(str(int(i)) for i in place)})" if place else ""
    raise ValueError(f"{name}: expected ids from 0 to {limit - 1}, got {int(tokens[place])}{where}")


def _wrong_ndim(name: str, array: np.ndarray, ndim: int) -> str:
    return f"{name}: expected {ndim} dimensions, got {array.ndim} (shape {array.shape})"
