"""Back-tests: forecasts from origins that roll through the past, judged by what came then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import as_float, probability, size
from . import metrics
from .baselines import Forecast, season_of
from .regularity import regular
from .series import Series
from .windowing import need_rows

__all__ = ["Backtest", "backtest", "interval_errors", "origins_of"]


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of the past beside the truth; all parameters are attributes.

    Parameters
    ----------
    origins : numpy.ndarray
        (F,) int64, the row of the series at which each forecast begins.
    time : numpy.ndarray
        (F, H), the times that were forecast.
    truth, forecast : numpy.ndarray
        (F, H, K) float64.
    names : tuple of str
        The K targets.
    scale : numpy.ndarray
        (K,), what the MASE divides by: the seasonal-naive error before the first origin.
    """

    origins: np.ndarray
    time: np.ndarray
    truth: np.ndarray
    forecast: np.ndarray
    names: tuple[str, ...]
    scale: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """(F, H, K), truth minus forecast."""
        return self.truth - self.forecast

    @property
    def measures(self) -> dict[str, float | None]:
        """``mae``, ``rmse``, ``mase`` (None where the history is constant) and ``smape``."""
        pair = self.truth, self.forecast
        return {
            "mae": metrics.mae(*pair),
            "rmse": metrics.rmse(*pair),
            "mase": metrics.mase(*pair, self.scale),
            "smape": metrics.smape(*pair),
        }

    def intervals(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Give prediction intervals, each from the errors of the other folds.

        Parameters
        ----------
        level
            The share that should lie within.

        Returns
        -------
        low, high : numpy.ndarray
            (F, H, K).

        Raises
        ------
        ValueError
            There is one fold only.
        """
        errors = self.errors
        if len(errors) < 2:
            raise ValueError("intervals: expected at least two folds, got one")
        bounds = [
            interval_errors(np.delete(errors, fold, axis=0), level) for fold in range(len(errors))
        ]
        low, high = (np.stack(side) for side in zip(*bounds))
        return self.forecast + low, self.forecast + high

    def coverage(self, level: float = 0.9) -> float:
        """Return the share of the truth within its interval of the other folds.

        Parameters
        ----------
        level
            The share that should.
        """
        return metrics.coverage(self.truth, *self.intervals(level))

    def pinball(self, level: float = 0.9) -> float:
        """Return the mean pinball loss of both ends of the intervals.

        Parameters
        ----------
        level
            The share that should lie within them.
        """
        low, high = self.intervals(level)
        tail = (1 - level) / 2
        ends = metrics.pinball(self.truth, low, tail), metrics.pinball(self.truth, high, 1 - tail)
        return sum(ends) / 2


def interval_errors(errors: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of prediction intervals, relative to a forecast.

    With n errors the ends are those of ranks ``(n + 1) (1 ± level) / 2`` (split conformal), as wide
    as the smallest and the largest error at most. Each step ahead has its own where there are
    enough folds for these ranks; with fewer folds all steps share theirs.

    Parameters
    ----------
    errors
        (F, H, K), truth minus forecast of a back-test.
    level
        The share of the truth that should lie within.

    Returns
    -------
    low, high : numpy.ndarray
        (H, K).

    Raises
    ------
    TypeError, ValueError
        `level` is no probability, or there are no errors.
    """
    level = probability("level", level)
    array = as_float("errors", errors, np.dtype(np.float64), ndim=3)
    folds, horizon, targets = array.shape
    if not array.size:
        raise ValueError(f"errors: expected at least one, got shape {array.shape}")
    tail = (1 - level) / 2
    if round((folds + 1) * tail, 9) < 1:
        array = np.broadcast_to(array.reshape(-1, 1, targets), (folds * horizon, horizon, targets))
    ordered = np.sort(array, axis=0)
    count = len(ordered)
    # Rounded, because 20 times (1 - 0.8) / 2 is a little less than 2.
    low = max(int(np.floor(round((count + 1) * tail, 9))), 1)
    return ordered[low - 1], ordered[count - low]


def backtest(
    forecast: Forecast,
    series: Series,
    horizon: int,
    folds: int = 5,
    *,
    stride: int | None = None,
    window: int | None = None,
    season: int | None = None,
    least: int = 2,
) -> Backtest:
    """Forecast the last part of a series from several origins.

    Parameters
    ----------
    forecast
        ``(history, horizon, future) -> (horizon, K)``; `history` is the `Series` before the
        origin. It may fit a model on it, or use one that was fitted on what comes before
        ``origins_of(...)[0]``.
    series
        Without gaps and missing values.
    horizon
        The steps ahead.
    folds
        The number of origins; the last one's forecast ends with the series.
    stride
        The rows from one origin to the next; by default `horizon`: no overlap.
    window
        The rows of history that a forecast sees (a sliding window); by default all (an expanding
        one).
    season
        The lag of the MASE; by default the frequency's.
    least
        The rows of history that the first origin must have.

    Returns
    -------
    Backtest

    Raises
    ------
    ValueError
        The series is too short, telling how many rows are needed, or has gaps; or `forecast` gives
        another shape, or what is not finite.
    """
    series = regular(series)
    horizon = size("horizon", horizon)
    origins = origins_of(series, horizon, folds, stride, max(size("least", least), window or 1))
    truths, said, times = [], [], []
    for origin in origins:
        start = 0 if window is None else origin - window
        ahead = slice(origin, origin + horizon)
        future = series.future[ahead] if series.known else None
        values = np.asarray(forecast(series.part(start, origin), horizon, future), dtype=np.float64)
        shape = (horizon, series.targets)
        if values.shape != shape or not np.isfinite(values).all():
            got = "NaN or infinity" if values.shape == shape else values.shape
            raise ValueError(f"forecast: expected finite values of shape {shape}, got {got}")
        truths.append(series.target[ahead])
        times.append(series.time[ahead])
        said.append(values)
    first = int(origins[0])
    lag = season_of(series) if season is None else season
    scale = metrics.seasonal_scale(series.target[:first], lag if lag < first else 1)
    return Backtest(
        origins,
        np.stack(times),
        np.stack(truths),
        np.stack(said),
        series.names[: series.targets],
        scale,
    )


def origins_of(
    series: Series, horizon: int, folds: int, stride: int | None = None, least: int = 1
) -> np.ndarray:
    """The rows at which the forecasts of a back-test begin.

    Parameters
    ----------
    series, horizon, folds, stride
        As for `backtest`.
    least
        The rows of history that the first origin must have.

    Raises
    ------
    ValueError
        The series is too short.
    """
    folds, stride = size("folds", folds), horizon if stride is None else size("stride", stride)
    need = least + horizon + (folds - 1) * stride
    need_rows(series, need, f"{folds} folds, horizon {horizon} and a history of {least}")
    return len(series) - horizon - stride * np.arange(folds - 1, -1, -1)
