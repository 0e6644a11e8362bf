"""Windows over scaled series: what a forecaster is given at an origin, and what it should say.

A value that was filled stands on the straight line between its neighbours. At an origin between the
two the later one is not known yet: there the window has the last value that was, so that nothing of
the future is seen, in training as in a forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ... import datasets
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
    effect : numpy.ndarray
        (N, K), the regular part that was taken out of the columns to forecast; not scaled.
    starts : numpy.ndarray of int
        The first row of each series.
    """

    values: np.ndarray
    last: np.ndarray | None
    effect: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(
        cls,
        values: Sequence[np.ndarray],
        real: Sequence[np.ndarray | None],
        effects: Sequence[np.ndarray],
    ) -> Rows:
        """Put series (T_i, C) beneath each other; ``real`` is None where nothing was filled."""
        effect = np.concatenate(effects)
        starts = np.cumsum([0, *map(len, values)])[:-1]
        joined = np.concatenate(values)
        if all(one is None for one in real):
            return cls(joined, None, effect, starts)
        last = [
            start + last_known(np.ones(here.shape, bool) if one is None else one)
            for start, here, one in zip(starts, values, real)
        ]
        return cls(joined, np.concatenate(last), effect, starts)


class WindowBatches(Passes, datasets.WindowBatches):
    """Batches of windows, each by the row of the first step that it is to forecast.

    Parameters
    ----------
    rows
        The series.
    origins : numpy.ndarray of int
        Those rows, counted over all series.
    meaning
        The columns' roles, the window and the horizon.
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
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        columns = len(meaning.columns)
        datasets.WindowBatches.__init__(
            self,
            rows.values,
            origins,
            meaning.window,
            meaning.horizon,
            targets=meaning.targets,
            known=tuple(range(columns - len(meaning.known), columns)),
            batch_size=batch_size,
            dtype=rows.values.dtype.type,
        )
        Passes.__init__(self, origins, batch_size, seed is not None, seed)
        self.rows, self.meaning = rows, meaning

    def batch(self, chosen: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray | None], np.ndarray]:
        """Return ``(x (window, B, C), future or None), y (horizon, B, K)`` of some origins."""
        (x, future), y = datasets.WindowBatches.batch(self, chosen)
        if self.rows.last is not None:
            rows = np.arange(-self.window, 0)[:, None] + chosen
            x = seen_at(self.rows.values, self.rows.last, rows)
        return (x, future), y

    def effects(self, chosen: np.ndarray) -> np.ndarray:
        """Return the regular part (B, horizon, K) of what some origins are to forecast."""
        return self.rows.effect[chosen[:, None] + np.arange(self.horizon)]
