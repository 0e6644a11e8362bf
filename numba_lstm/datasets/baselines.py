"""Forecasts that cost nothing, which a network has to beat.

Each function makes a forecaster: a callable ``(history, horizon, future) -> (horizon, K)``, where
`history` is a `Series` without gaps, and `future` the (horizon, E) values of its columns that are
known ahead, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import size
from .least_squares import Equations, ridge_path
from .regularity import regular
from .series import Series
from .windowing import need_rows, windows

__all__ = ["Forecast", "linear", "seasonal_naive"]

Forecast = Callable[[Series, int, Any], np.ndarray]

# Of inputs of variance 1; the least keeps equations solvable that depend on each other.
_RIDGES = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def seasonal_naive(season: int | None = None) -> Forecast:
    """Forecast the value of one season before.

    Parameters
    ----------
    season
        In rows; by default the frequency's (a week of days, a day of hours, a year of months), or
        1, the last value, where it has none.

    Returns
    -------
    callable
        A forecaster.
    """
    lag = None if season is None else size("season", season)

    def forecast(history: Series, horizon: int, future: Any = None) -> np.ndarray:
        history = regular(history)
        steps = lag or season_of(history)
        need_rows(history, steps, f"a season of {steps}")
        last = history.target[len(history) - steps :]
        return last[np.arange(horizon) % steps]

    return forecast


def linear(lags: int | None = None, train: Series | None = None) -> Forecast:
    """Forecast each step ahead as a linear function of the last rows, by least squares.

    The inputs are the last `lags` rows of all columns and the columns that are known ahead; there
    is one equation for each step ahead (a direct autoregression). They are standardised, and a
    ridge keeps their weights small. Its strength and the number of lags are those that forecast
    the last fifth of the history best from what is before; then all of it is fitted.

    Parameters
    ----------
    lags
        In rows; by default the best of a few, from five to two seasons (at least ten), and no more
        than a fifth of the windows.
    train
        The series to fit on, once. By default each forecast fits on all the history that it sees.

    Returns
    -------
    callable
        A forecaster.
    """
    wanted = None if lags is None else size("lags", lags)
    fitted: dict[int, tuple[Equations, int]] = {}

    def forecast(history: Series, horizon: int, future: Any = None) -> np.ndarray:
        history = regular(history)
        if train is None:
            equations, count = _fit(history, horizon, wanted)
        else:
            if horizon not in fitted:
                fitted[horizon] = _fit(regular(train), horizon, wanted)
            equations, count = fitted[horizon]
        need_rows(history, count, f"lags {count}")
        last = history.values[len(history) - count :]
        known = None if not history.known else np.asarray(future, dtype=float)[None]
        return equations(_inputs(last[None], known)).reshape(horizon, history.targets)

    return forecast


def season_of(series: Series) -> int:
    """The rows of a natural season; 1 where the frequency has none."""
    return 1 if series.frequency is None else series.frequency.season


def _fit(series: Series, horizon: int, lags: int | None) -> tuple[Equations, int]:
    """Equations of all steps ahead, (inputs) -> (horizon * K), and how many lags they take."""
    tried = [lags] if lags is not None else _lags_to_try(series, horizon)
    count, ridge = _chosen(series, horizon, tried)
    x, y, known, _ = windows(series, count, horizon)
    return ridge_path(_inputs(x, known), y.reshape(len(y), -1), [ridge])[0], count


def _lags_to_try(series: Series, horizon: int) -> list[int]:
    """From a handful to two seasons, with at least five windows for each lag."""
    season = season_of(series)
    most = max(10, 2 * season)
    # lags <= windows / 5, where windows = rows - horizon + 1 - lags
    most = max(1, min(most, (len(series) - horizon + 1) // 6))
    return sorted({min(lags, most) for lags in (5, 10, season, most)})


def _chosen(series: Series, horizon: int, tried: list[int]) -> tuple[int, float]:
    """The lags and the ridge that forecast the last fifth best from what is before it.

    Fewer lags are chosen only where they are better by 2 %: differences of less are chance. The
    least of both where the rows are too few to tell.
    """
    most = max(tried)
    first = len(series) - max(1, (len(series) - most - horizon + 1) // 5) - horizon + 1
    # Windows that train end before the first value that is forecast.
    if first - horizon - most < 1:
        return min(tried), _RIDGES[0]
    best, found = np.inf, (most, _RIDGES[0])
    for lags in sorted(tried, reverse=True):
        x, y, known, _ = windows(series, lags, horizon)
        inputs, start, stop = _inputs(x, known), first - lags, first - lags - horizon + 1
        scale = y[:stop].std(axis=(0, 1))
        scale[scale == 0] = 1.0
        equations = ridge_path(inputs[:stop], y[:stop].reshape(stop, -1), _RIDGES)
        errors = []
        for one in equations:
            error = one(inputs[start:]).reshape(y[start:].shape) - y[start:]
            errors.append(float(np.mean(np.abs(error) / scale)))
        least = int(np.argmin(errors))
        if errors[least] < 0.98 * best:
            best, found = errors[least], (lags, _RIDGES[least])
    return found


def _inputs(x: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    parts = [x.reshape(len(x), -1)]
    if known is not None:
        parts.append(known.reshape(len(known), -1))
    return np.concatenate(parts, axis=1)
