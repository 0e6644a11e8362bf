"""Windows over scaled series: what a forecaster is given at an origin, and what it should say.

A value that was filled stands on the straight line between its neighbours. At an origin between the
two the later one is not known yet: there the window has the last value that was, so that nothing of
the future is seen, in training as in a forecast. What was filled is no truth: it weighs nothing
among what should be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import datasets
from ...datasets.series import Series
from ...datasets.series_scaling import SeriesScaler
from ...typing import DTypeLike
from ..passes import Passes

__all__ = ["KnownWindows", "Rows", "Sizes", "WindowPasses", "last_known", "seen_at"]


class Sizes(NamedTuple):
    """What a forecaster reads and gives.

    Attributes
    ----------
    targets, known, columns
        How many columns are forecast, how many of the others are known ahead, and all.
    window, horizon
        Rows that are read, and steps ahead.
    """

    targets: int
    known: int
    columns: int
    window: int
    horizon: int


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
    real : numpy.ndarray or None
        (N, K) bool, which values of the columns to forecast were not filled; None where all were
        there.
    effect : numpy.ndarray
        (N, K), the regular part that was taken out of the columns to forecast; not scaled.
    starts : numpy.ndarray of int
        (S,), the first row of each series.
    mean, scale : numpy.ndarray
        (S, K), with which the columns to forecast were scaled.
    """

    values: np.ndarray
    last: np.ndarray | None
    real: np.ndarray | None
    effect: np.ndarray
    starts: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(
        cls,
        series: Sequence[Series],
        scalers: Sequence[SeriesScaler],
        real: Sequence[np.ndarray | None],
        dtype: DTypeLike,
    ) -> Rows:
        """Put series (T_i, C) beneath each other.

        Parameters
        ----------
        series, scalers
            Each with what scales it.
        real
            (T_i, C) of each, which values were not filled; None where all were there.
        dtype
            Of the values. What does not fit it becomes infinite.
        """
        targets = series[0].targets
        with np.errstate(over="ignore"):
            values = [by.transform(one).astype(dtype) for one, by in zip(series, scalers)]
        effects = [by.seasonal.effect(one.time)[:, :targets] for one, by in zip(series, scalers)]
        starts = np.cumsum([0, *map(len, values)])[:-1]
        last = there = None
        if any(one is not None for one in real):
            whole = [
                np.ones(here.shape, bool) if one is None else one for here, one in zip(values, real)
            ]
            last = np.concatenate([at + last_known(one) for at, one in zip(starts, whole)])
            there = np.concatenate(whole)[:, :targets]
        mean, scale = (
            np.stack([getattr(by.scaler, name)[:targets] for by in scalers])
            for name in ("mean", "scale")
        )
        effect = np.concatenate(effects)
        return cls(np.concatenate(values), last, there, effect, starts, mean, scale)

    def series_of(self, rows: np.ndarray) -> np.ndarray:
        """Which series rows are of."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def judged(self, origins: np.ndarray, horizon: int) -> np.ndarray:
        """Those of some origins behind which there is any truth."""
        if self.real is None:
            return origins
        steps = origins[:, None] + np.arange(horizon)
        return origins[self.real[steps].any(axis=(1, 2))]

    def before(self, origins: np.ndarray, window: int) -> np.ndarray:
        """The windows (window, B, C) before some origins, as they were known there."""
        rows = np.arange(-window, 0)[:, None] + origins
        return self.values[rows] if self.last is None else seen_at(self.values, self.last, rows)

    def unscaled(self, scaled: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Forecasts (B, horizon, K, …) from some origins, in the units of their series, float64."""
        which = self.series_of(origins)
        wide = (slice(None), None, slice(None), *(None,) * (scaled.ndim - 3))
        steps = origins[:, None] + np.arange(scaled.shape[1])
        effect = self.effect[steps][(..., *(None,) * (scaled.ndim - 3))]
        whole = scaled.astype(np.float64)
        return whole * self.scale[which][wide] + self.mean[which][wide] + effect


class KnownWindows(datasets.WindowBatches):
    """Batches of windows, each as it was known at its origin.

    Parameters
    ----------
    rows
        The series.
    origins : numpy.ndarray of int
        The rows of the first steps that are to be forecast, counted over all series.
    sizes
        The columns' roles, the window and the horizon.
    batch_size
        Windows in a batch.
    seed
        Of the order, another one in each pass; None keeps it.
    """

    def __init__(
        self,
        rows: Rows,
        origins: np.ndarray,
        sizes: Sizes,
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            rows.values,
            origins,
            sizes.window,
            sizes.horizon,
            targets=sizes.targets,
            known=tuple(range(sizes.columns - sizes.known, sizes.columns)),
            batch_size=batch_size,
            seed=seed,
            dtype=rows.values.dtype.type,
        )
        self.rows = rows

    def batch(self, origins: np.ndarray) -> tuple[Any, ...]:
        """Return ``(x (window, B, C), future or None), y (horizon, B, K)`` of some origins.

        And, where some of y was filled, ``sample_weight`` (horizon, B, K): 0 there, else 1.
        """
        (x, future), y = super().batch(origins)
        if self.rows.last is not None:
            x = self.rows.before(origins, self.window)
        if self.rows.real is None:
            return (x, future), y
        real = self.rows.real[origins[:, None] + np.arange(self.horizon)].swapaxes(0, 1)
        return ((x, future), y) if real.all() else ((x, future), y, real.astype(y.dtype))


class WindowPasses(Passes, KnownWindows):
    """Batches of windows, each pass of which can be drawn again by its number.

    Parameters
    ----------
    rows, origins, sizes, batch_size, seed
        As for `KnownWindows`.
    """

    def __init__(
        self,
        rows: Rows,
        origins: np.ndarray,
        sizes: Sizes,
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        KnownWindows.__init__(self, rows, origins, sizes, batch_size)
        Passes.__init__(self, origins, batch_size, seed is not None, seed)

    def batch(self, chosen: np.ndarray) -> tuple[Any, ...]:
        """Return what `KnownWindows` gives of some origins."""
        return KnownWindows.batch(self, chosen)

    def weight(self, chosen: np.ndarray) -> float:
        """Return how many of the values behind some origins were not filled."""
        if self.rows.real is None:
            return super().weight(chosen)
        return float(self.rows.real[chosen[:, None] + np.arange(self.horizon)].sum())
