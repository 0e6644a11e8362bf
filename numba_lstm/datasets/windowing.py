"""Windows over time series: what a forecaster sees, and what it is to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..checks import size
from .regularity import regular
from .series import Series

__all__ = ["WindowBatches", "Windows", "origins_in", "windows"]


class Windows(NamedTuple):
    """N windows of a series.

    Attributes
    ----------
    x : numpy.ndarray
        (N, window, C), all columns.
    y : numpy.ndarray
        (N, horizon, K), the targets that follow.
    future : numpy.ndarray or None
        (N, horizon, E), the columns known ahead, of the steps of `y`; None where there are none.
    origins : numpy.ndarray
        (N,) int64, the row of each first y.
    """

    x: np.ndarray
    y: np.ndarray
    future: np.ndarray | None
    origins: np.ndarray


def windows(series: Series, window: int, horizon: int, stride: int = 1) -> Windows:
    """Cut a series into windows of `window` rows and the `horizon` rows that follow each.

    Parameters
    ----------
    series
        Without gaps and missing values; see `regular`.
    window
        The rows that are seen.
    horizon
        The rows that are to be forecast.
    stride
        The rows from one window to the next.

    Returns
    -------
    Windows

    Raises
    ------
    ValueError
        The series has gaps or missing values, or fewer than ``window + horizon`` rows.
    """
    window, horizon = size("window", window), size("horizon", horizon)
    stride = size("stride", stride)
    series = regular(series)
    need_rows(series, window + horizon, f"window {window} and horizon {horizon}")
    origins = np.arange(window, len(series) - horizon + 1, stride)
    known = [series.names.index(name) for name in series.known]
    return _cut(series.values, origins, window, horizon, series.targets, known)


def origins_in(
    lengths: np.ndarray, window: int, horizon: int, held_out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where forecasts begin, in rows of series beneath each other: to train on, and to validate on.

    A window that validates may reach into the part that trains, as one does that forecasts from the
    end of it. What it forecasts does not.

    Parameters
    ----------
    lengths
        (N,) int, the rows of each series.
    window, horizon
        Rows of a window, and those after it.
    held_out
        (N,) int, how many rows at the end of each series do not train; by default none.

    Returns
    -------
    train, valid : numpy.ndarray
        Of int64, rows of the first step ahead. None of a series that is too short.
    """
    starts = np.cumsum(lengths) - lengths
    held = np.zeros_like(lengths) if held_out is None else held_out
    train, valid = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start, length, out in zip(starts, lengths, held):
        cut = length - out
        train.append(start + np.arange(window, cut - horizon + 1))
        if out:
            valid.append(start + np.arange(max(cut, window), length - horizon + 1))
    return np.concatenate(train), np.concatenate(valid)


class WindowBatches:
    """Batches of windows as a forecaster takes them, one pass over all of them at each iteration.

    Parameters
    ----------
    values
        (rows, C), one series or several beneath each other. The columns to forecast come first.
    origins
        (N,) int, rows of the first step ahead, such as `origins_in` gives.
    window, horizon
        Rows of a window, and those after it.
    targets
        K, the columns to forecast.
    known
        Which columns are known ahead.
    batch_size
        Windows of a batch; the last one may have fewer.
    seed
        Of the order, another one in each pass; None keeps that of `origins`.
    dtype
        Of what it gives.

    Examples
    --------
    >>> batches = WindowBatches(np.arange(20.0)[:, None], np.arange(4, 19), 4, 2, batch_size=8)
    >>> [(x.shape, future, y.shape) for (x, future), y in batches]
    [((4, 8, 1), None, (2, 8, 1)), ((4, 7, 1), None, (2, 7, 1))]
    """

    def __init__(
        self,
        values: np.ndarray,
        origins: np.ndarray,
        window: int,
        horizon: int,
        *,
        targets: int = 1,
        known: tuple[int, ...] = (),
        batch_size: int = 32,
        seed: int | None = None,
        dtype: type = np.float32,
    ) -> None:
        self.values, self.origins, self.dtype = values, np.asarray(origins), dtype
        self.window, self.horizon, self.targets = window, horizon, targets
        self.known, self.batch_size = list(known), batch_size
        self.rng = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        """Return the number of batches in a pass."""
        return -(-len(self.origins) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[tuple[np.ndarray, np.ndarray | None], np.ndarray]]:
        order = self.origins if self.rng is None else self.rng.permutation(self.origins)
        for at in range(0, len(order), self.batch_size):
            yield self.batch(order[at : at + self.batch_size])

    def batch(self, origins: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray | None], np.ndarray]:
        """Give ``(x (window, B, C), future (horizon, B, E) or None), y (horizon, B, K)``.

        Parameters
        ----------
        origins
            (B,) int, of the windows.
        """
        found = _cut(self.values, origins, self.window, self.horizon, self.targets, self.known)
        future = None if found.future is None else self._time_first(found.future)
        return (self._time_first(found.x), future), self._time_first(found.y)

    def _time_first(self, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array.swapaxes(0, 1), dtype=self.dtype)


def need_rows(series: Series, rows: int, what: str) -> None:
    """Refuse a series that is too short.

    Raises
    ------
    ValueError
        Telling how many rows `what` needs.
    """
    if len(series) < rows:
        name = f" series {series.id!r}" if series.id else ""
        raise ValueError(
            f"{series.source}:{name} too short: {what} need {rows} rows, got {len(series)}"
        )


def _cut(
    values: np.ndarray,
    origins: np.ndarray,
    window: int,
    horizon: int,
    targets: int,
    known: list[int],
) -> Windows:
    """The windows at some origins; indexing copies only those."""
    ahead = _sliding(values, horizon)
    return Windows(
        _sliding(values, window)[origins - window],
        ahead[origins][..., :targets],
        ahead[origins][..., known] if known else None,
        origins,
    )


def _sliding(values: np.ndarray, width: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, width, axis=0).swapaxes(1, 2)
