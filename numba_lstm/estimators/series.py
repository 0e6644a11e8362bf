"""Time series in one form, their scaled values, and the windows that a forecaster learns from."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from .samples import Samples, is_many, read_many
from .times import check_times
from .values import check_values, named

__all__ = [
    "ExogenousColumns",
    "Form",
    "WindowBatches",
    "items_of",
    "origins",
    "read_series",
    "tails",
]

_FLOATS = [np.float64, np.float32]


class ExogenousColumns(BaseEstimator):
    """Remembers the number and the names of columns, as an estimator does of its own."""


class Form(NamedTuple):
    """How a caller's series came.

    Attributes
    ----------
    many : bool
        Whether they were several.
    columns : bool
        Whether each had an axis of columns.
    """

    many: bool
    columns: bool

    def of_forecast(self, found: np.ndarray) -> np.ndarray:
        """A forecast (horizon, N, k, …) in this form: ([N,] horizon[, k], …)."""
        found = found.swapaxes(0, 1)
        if not self.columns:
            found = found[:, :, 0]
        return np.ascontiguousarray(found if self.many else found[0])


def read_series(name: str, owner: Any, value: Any, reset: bool) -> tuple[Samples, Form]:
    """Bring one series or several to one form.

    Parameters
    ----------
    name : str
        What messages call it.
    owner : estimator
        It keeps the number and the names of the columns.
    value : array_like or list
        One series, (T,) or (T, k); several, (N, T, k), or a list of (T_n,) or (T_n, k).
    reset : bool
        Whether these are the first that `owner` sees.

    Returns
    -------
    Samples
        Float64 values, one sequence a series.
    Form

    Raises
    ------
    TypeError, ValueError
        Naming the argument: one number, values that are no finite numbers, times, masked values, no
        rows, other columns than before, a frame whose index is not in order of time.

    Warns
    -----
    UserWarning
        If a frame's times are not at equal distances.
    """
    if isinstance(value, numbers.Number):
        raise TypeError(f"{name}: expected a series, got {value!r}")
    check_values(name, value)
    with named(name):
        samples, form = _read(name, owner, value, reset)
    for n, one in enumerate(items_of(value, form)):
        check_times(f"{name}[{n}]" if form.many else name, one)
    return samples.replace(samples.steps.astype(np.float64, copy=False)), form


def items_of(value: Any, form: Form) -> Sequence[Any]:
    """What a caller gave for each series; an array of several is one thing."""
    return value if form.many and is_many(value) else [value]


def _read(name: str, owner: Any, value: Any, reset: bool) -> tuple[Samples, Form]:
    if is_many(value):
        samples = read_many(name, value, owner)
        form = Form(True, np.ndim(value[0]) == 2)
        features = value[0] if hasattr(value[0], "columns") else samples.steps
    else:
        array = check_array(
            value, dtype=_FLOATS, ensure_2d=False, allow_nd=True, input_name=name, estimator=owner
        )
        if array.ndim not in (1, 2, 3) or 0 in array.shape:
            raise ValueError(
                f"{name}: expected (time,), (time, columns) or (series, time, columns), "
                f"got shape {array.shape}"
            )
        if array.ndim == 1 and not reset and owner.n_features_in_ != 1:
            raise ValueError(
                f"{name}: expected {owner.n_features_in_} columns, as in fit, got shape "
                f"{array.shape}. Reshape your data: array.reshape(1, -1) if it is one row"
            )
        form = Form(array.ndim == 3, array.ndim > 1)
        count, length = (array.shape if form.many else (1, *array.shape))[:2]
        steps = array.reshape(count * length, -1)
        samples = Samples(steps, np.full(count, length, np.int64))
        features = value if array.ndim == 2 else steps
    validate_data(owner, features, skip_check_array=True, reset=reset)
    return samples, form


def tails(series: Samples, count: int, before: int = 0) -> np.ndarray:
    """The last rows of each series, (count, N, columns), or those before its last `before` ones."""
    ends = np.cumsum(series.lengths) - before
    return series.steps[np.arange(-count, 0)[:, None] + ends]


def origins(
    series: Samples, window: int, horizon: int, held_out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where windows begin, in rows of all series: those that train, and those that validate.

    A window that validates may reach into the part that trains, as one does that forecasts from the
    end of it. What it forecasts does not.

    Parameters
    ----------
    series : Samples
    window, horizon : int
        Steps of a window, and those after it.
    held_out : numpy.ndarray of int, (N,), optional
        How many rows at the end of each series do not train.

    Returns
    -------
    train, valid : numpy.ndarray of int

    Raises
    ------
    ValueError
        Naming y, if a series is too short to train on.
    """
    train, valid = [], []
    for n, (start, length) in enumerate(zip(series.starts, series.lengths)):
        held = 0 if held_out is None else int(held_out[n])
        last = length - held - window - horizon
        if last < 0:
            which = f"y[{n}]" if len(series) > 1 else "y"
            more = f", and {held} more to validate on" if held else ""
            raise ValueError(
                f"{which}: expected at least window + horizon = {window + horizon} rows{more}, "
                f"got n_samples={length}"
            )
        train.append(start + np.arange(last + 1))
        valid.append(start + np.arange(last + horizon, length - window - horizon + 1))
    return np.concatenate(train), np.concatenate(valid)


class WindowBatches:
    """Batches of windows of series and of what follows them, one pass at each iteration.

    Parameters
    ----------
    values : numpy.ndarray, (steps, k + m)
        Series beneath each other, the k columns that are forecast first.
    origins : numpy.ndarray of int
        Where windows begin, in rows of `values`.
    targets : int
        k.
    window, horizon : int
        Steps of a window, and those after it.
    difference : bool
        Whether targets are taken from the last value of the window.
    batch_size : int
    seed : int or None
        Of the order; None keeps it.
    """

    def __init__(
        self,
        values: np.ndarray,
        origins: np.ndarray,
        targets: int,
        window: int,
        horizon: int,
        *,
        difference: bool,
        batch_size: int,
        seed: int | None,
    ) -> None:
        self.values, self.origins, self.targets = values, origins, targets
        self.window, self.horizon, self.difference = window, horizon, difference
        self.batch_size = batch_size
        self.rng = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self.origins) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        order = self.origins if self.rng is None else self.rng.permutation(self.origins)
        for at in range(0, len(order), self.batch_size):
            yield self.batch(order[at : at + self.batch_size])

    def batch(self, origins: np.ndarray) -> tuple[tuple[np.ndarray, Any], np.ndarray]:
        """``(x (window, B, k + m), future (horizon, B, m) or None), targets (horizon, B, k)``."""
        x = self.values[np.arange(self.window)[:, None] + origins]
        ahead = self.values[np.arange(self.window, self.window + self.horizon)[:, None] + origins]
        y = np.ascontiguousarray(ahead[..., : self.targets])
        if self.difference:
            y -= x[-1, :, : self.targets]
        future = np.ascontiguousarray(ahead[..., self.targets :])
        return (x, future if future.shape[-1] else None), y
