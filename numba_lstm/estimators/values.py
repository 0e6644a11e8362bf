"""What NumPy would take for numbers although it is none: times, and what a mask hides."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["check_labels", "check_values", "named"]

_TIMES = (datetime.date, datetime.time, datetime.timedelta)


def check_values(name: str, value: Any, times: bool = False) -> None:
    """Refuse generators, masked arrays that hide values and, but for labels, times.

    Parameters
    ----------
    name : str
        What messages call it.
    value : array_like, frame or list of them
    times : bool
        Whether times are taken.

    Raises
    ------
    TypeError
        Naming the argument, and the item of a list or the column of a frame.
    """
    if isinstance(value, Iterator):
        raise TypeError(
            f"{name}: expected an array or a list, got an object of type {type(value).__name__}; "
            "list() makes a list of it"
        )
    for which, one in _leaves(name, value):
        if isinstance(one, np.ma.MaskedArray) and np.ma.is_masked(one):
            raise TypeError(
                f"{which}: expected numbers, got a masked array that hides values; "
                "fill them first (numpy.ma.filled)"
            )
        if not times:
            _refuse_times(which, one)


def check_labels(name: str, labels: Any) -> None:
    """Refuse text among other labels: NumPy would take all of a list for text.

    Raises
    ------
    TypeError
        Naming the argument.
    """
    kind = getattr(getattr(labels, "dtype", None), "kind", "")
    if not isinstance(labels, (list, tuple)) and kind != "O":
        return
    kinds = {isinstance(label, str) for label in np.ravel(np.asarray(labels, object))}
    if len(kinds) > 1:
        raise TypeError(f"{name}: expected labels of one kind, got text and others")


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The arrays and frames in a value, and what messages call them; numbers are left out."""
    nested = isinstance(value, np.ndarray) and value.dtype == object and value.ndim > 0
    if nested or not isinstance(value, (list, tuple)):
        yield name, value
    if nested or isinstance(value, (list, tuple)):
        for i, one in enumerate(value):
            if not isinstance(one, (int, float, str)):
                yield from _leaves(f"{name}[{i}]", one)


def _refuse_times(name: str, value: Any) -> None:
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        for column, dtype in zip(value.columns, value.dtypes):
            if _is_of_times(dtype):
                raise TypeError(
                    f"{name}: expected numbers, got times ({dtype}) in column {column!r}; "
                    "drop it, or make numbers of it"
                )
    elif isinstance(value, _TIMES) or _is_of_times(getattr(value, "dtype", None)):
        raise TypeError(f"{name}: expected numbers, got times ({_kind(value)})")


def _is_of_times(dtype: Any) -> bool:
    """Whether a dtype of NumPy, pandas or polars is one of dates, times or durations."""
    if hasattr(dtype, "is_temporal"):  # polars
        return bool(dtype.is_temporal())
    return getattr(dtype, "kind", "") in ("M", "m")


def _kind(value: Any) -> str:
    return str(getattr(value, "dtype", type(value).__name__))


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Have errors about an argument begin with its name, where they do not tell it.

    scikit-learn's and NumPy's own do not always.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error
