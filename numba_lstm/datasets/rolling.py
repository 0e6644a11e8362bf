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
    real : numpy.ndarray or None
        (F, H, K) bool, what there is a truth of. The rest was filled, and is not judged. None where
        all of it was there.
    """

    origins: np.ndarray
    time: np.ndarray
    truth: np.ndarray
    forecast: np.ndarray
    names: tuple[str, ...]
    scale: np.ndarray
    real: np.ndarray | None = None

    @property
    def errors(self) -> np.ndarray:
        """(F, H, K), truth minus forecast; NaN where the truth was filled."""
        found = self.truth - self.forecast
        return found if self.real is None else np.where(self.real, found, np.nan)

    @property
    def measures(self) -> dict[str, float | None]:
        """``mae``, ``rmse``, ``mase`` (None where the history is constant) and ``smape``."""
        pair = self.judged(self.truth), self.judged(self.forecast)
        scale = self.judged(np.broadcast_to(self.scale, self.truth.shape))
        return {
            "mae": metrics.mae(*pair),
            "rmse": metrics.rmse(*pair),
            "mase": metrics.mase(*pair, scale),
            "smape": metrics.smape(*pair),
        }

    def judged(self, values: np.ndarray, target: int | None = None) -> np.ndarray:
        """Give those of some values whose truth was there, in one row.

        Parameters
        ----------
        values
            (F, H, K).
        target
            One of the K; by default all.
        """
        which = slice(None) if target is None else slice(target, target + 1)
        chosen = values[..., which]
        return chosen.ravel() if self.real is None else chosen[self.real[..., which]]

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
        return metrics.coverage(*map(self.judged, (self.truth, *self.intervals(level))))

    def pinball(self, level: float = 0.9) -> float:
        """Return the mean pinball loss of both ends of the intervals.

        Parameters
        ----------
        level
            The share that should lie within them.
        """
        low, high = map(self.judged, self.intervals(level))
        truth, tail = self.judged(self.truth), (1 - level) / 2
        return (metrics.pinball(truth, low, tail) + metrics.pinball(truth, high, 1 - tail)) / 2


def interval_errors(errors: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of prediction intervals, relative to a forecast.

    With n errors the ends are those of ranks ``(n + 1) (1 ± level) / 2`` (split conformal), as wide
    as the smallest and the largest error at most. Each step ahead has its own where there are
    enough folds for these ranks; with fewer folds all steps share theirs.

    Parameters
    ----------
    errors
        (F, H, K), truth minus forecast of a back-test; NaN where there is no truth.
    level
        The share of the truth that should lie within.

    Returns
    -------
    low, high : numpy.ndarray
        (H, K).

    Raises
    ------
    TypeError, ValueError
        `level` is no probability, or there are no errors of a target.
    """
    level = probability("level", level)
    array = as_float("errors", errors, np.dtype(np.float64), ndim=3)
    folds, horizon, targets = array.shape
    count = (~np.isnan(array)).sum(axis=0)  # (H, K)
    if not array.size or not count.any(axis=0).all():
        raise ValueError(f"errors: expected at least one, got none in shape {array.shape}")
    tail = (1 - level) / 2
    if round((count.min() + 1) * tail, 9) < 1:
        array = np.broadcast_to(array.reshape(-1, 1, targets), (folds * horizon, horizon, targets))
        count = np.broadcast_to(count.sum(axis=0), count.shape)
    ordered = np.sort(array, axis=0)  # NaN last
    # Rounded, because 20 times (1 - 0.8) / 2 is a little less than 2.
    low = np.maximum(np.floor(np.round((count + 1) * tail, 9)).astype(np.int64), 1)
    bottom, top = (np.take_along_axis(ordered, at[None], 0)[0] for at in (low - 1, count - low))
    return bottom, top


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
    real: np.ndarray | None = None,
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
    real
        (T, K) bool, which values of the targets were there when the series was read. Those that
        were filled are not judged, and do not count for the scale of the MASE.

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
    targets = series.target
    if real is not None:
        real = np.asarray(real, dtype=bool)
        if real.shape != targets.shape:
            raise ValueError(f"real: expected shape {targets.shape}, got {real.shape}")
        targets = np.where(real, targets, np.nan)
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
    scale = metrics.seasonal_scale(targets[:first], lag if lag < first else 1)
    return Backtest(
        origins,
        np.stack(times),
        np.stack(truths),
        np.stack(said),
        series.names[: series.targets],
        scale,
        None if real is None else np.stack([real[at : at + horizon] for at in origins]),
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
