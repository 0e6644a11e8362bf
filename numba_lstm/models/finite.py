"""What least squares and weights are found from has to be finite: one NaN would spoil all of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..typing import Array

__all__ = ["check_finite"]


def check_finite(name: str, array: Array, read: Any = ...) -> None:
    """Refuse an array that holds NaN or infinity.

    Parameters
    ----------
    name : str
        The argument's name.
    array : numpy.ndarray
        Of real numbers.
    read : index
        The part that is looked at, ``array[read]``; all of it by default.

    Raises
    ------
    ValueError
        Naming the argument, and the first such value with its index.
    """
    bad = np.zeros(array.shape, np.bool_)
    bad[read] = ~np.isfinite(array[read])
    if bad.any():
        place = tuple(map(int, np.argwhere(bad)[0]))
        raise ValueError(f"{name}: expected finite numbers, got {array[place]} at index {place}")
