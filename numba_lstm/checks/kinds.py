"""What a module is made with besides sizes: the dtype of its numbers, its source of chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..foreign import describe

__all__ = ["dtype", "generator"]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


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
