"""Windows over scaled series: what a forecaster is given at an origin, and what it should say.

A value that was filled stands on the straight line between its neighbours. At an origin between the
two the later one is not known yet: there the window has the last value that was, so that nothing of
the future is seen, in training as in a forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...typing import Seed
from ..passes import Passes
from .meaning import Meaning

__all__ = ["Rows", "WindowBatches", "last_known", "seen_at"]


def last_known(real: np.ndarray) -> np.ndarray:
    """Of each cell, the row of the last value up to it that was not filled.

    Parameters
    ----------
    real
        (T, C), whether a cell's value was there when the series was read.

    Returns
    -------
    numpy.ndarray
        (T, C) int64; a cell before a column's first value is its own.
    """
    rows = np.arange(len(real))[:, None]
    found = np.maximum.accumulate(np.where(real, rows, -1), axis=0)
    return np.where(found < 0, rows, found)


def seen_at(values: np.ndarray, last: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The values of rows, as they were known at the last one.

    Parameters
    ----------
    values, last
        (T, C), and their `last_known`.
    rows
        (W, …), increasing along the first axis; the last one is the row before an origin.

    Returns
    -------
    numpy.ndarray
        (W, …, C).
    """
    latest = last[rows[-1]]  # (…, C)
    level = np.take_along_axis(values, latest.reshape(-1, values.shape[1]), axis=0)
    late = rows[..., None] > latest
    return np.where(late, level.reshape(latest.shape), values[rows])


class Rows(NamedTuple):
    """The scaled rows of series, beneath each other.

    Attributes
    ----------
    values : numpy.ndarray
        (N, C), the columns to forecast first and those known ahead last.
    last : numpy.ndarray or None
        (N, C), the `last_known` row of each cell; None where nothing was filled.
    starts : numpy.ndarray of int
        The first row of each series.
    """

    values: np.ndarray
    last: np.ndarray | None
    starts: np.ndarray

    @classmethod
    def of(cls, values: Sequence[np.ndarray], real: Sequence[np.ndarray | None]) -> Rows:
        """Put series (T_i, C) beneath each other; ``real`` is None where nothing was filled."""
        starts = np.cumsum([0, *map(len, values)])[:-1]
        joined = np.concatenate(values)
        if all(one is None for one in real):
            return cls(joined, None, starts)
        last = [
            start + last_known(np.ones(here.shape, bool) if one is None else one)
            for start, here, one in zip(starts, values, real)
        ]
        return cls(joined, np.concatenate(last), starts)


class Inputs(NamedTuple):
    """What the network is given, and how its outputs become scaled values again.

    Attributes
    ----------
    x : numpy.ndarray
        (window, B, C).
    future : numpy.ndarray or None
        (horizon, B, E), what is known ahead.
    level : numpy.ndarray
        (B, K), from which the outputs count.
    """

    x: np.ndarray
    future: np.ndarray | None
    level: np.ndarray


class WindowBatches(Passes):
    """Batches of windows, each by the row of the first step that it is to forecast.

    Parameters
    ----------
    rows
        The series.
    origins : numpy.ndarray of int
        Those rows, counted over all series.
    meaning
        The columns' roles, the window and the horizon.
    difference
        Whether forecasts count from the last value of the window.
    batch_size
        Windows in a batch.
    seed
        Of the order; None keeps it.
    """

    def __init__(
        self,
        rows: Rows,
        origins: np.ndarray,
        meaning: Meaning,
        difference: bool,
        batch_size: int,
        seed: Seed = None,
    ) -> None:
        super().__init__(origins, batch_size, seed is not None, seed)
        self.rows, self.meaning, self.difference = rows, meaning, difference

    def batch(self, chosen: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray | None], np.ndarray]:
        """Return ``(x, future), targets`` of some origins, targets (horizon, B, K)."""
        x, future, level = self.inputs(chosen)
        return (x, future), self._ahead(chosen)[..., : self.meaning.targets] - level

    def inputs(self, origins: np.ndarray) -> Inputs:
        """Return what the network is given at some origins."""
        values, last, _ = self.rows
        rows = np.arange(-self.meaning.window, 0)[:, None] + origins
        x = values[rows] if last is None else seen_at(values, last, rows)
        known = len(self.meaning.known)
        future = None
        if known:
            future = np.ascontiguousarray(self._ahead(origins)[..., -known:])
        level = x[-1, :, : self.meaning.targets]
        return Inputs(x, future, level if self.difference else np.zeros_like(level))

    def _ahead(self, origins: np.ndarray) -> np.ndarray:
        return self.rows.values[np.arange(self.meaning.horizon)[:, None] + origins]
