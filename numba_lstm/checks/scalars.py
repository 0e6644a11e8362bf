"""Single values: sizes, numbers within bounds, switches, and names out of a few."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..foreign import describe

__all__ = ["choice", "flag", "positive", "probability", "size"]


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
