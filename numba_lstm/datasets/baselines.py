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
    ridge of a millionth keeps equations solvable that depend on each other.

    Parameters
    ----------
    lags
        In rows; by default two seasons, and at least ten, where the history allows it.
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
    if lags is None:
        # So that there are at least as many windows as lags.
        lags = max(1, min(max(10, 2 * season_of(series)), (len(series) - horizon + 1) // 2))
    x, y, known, _ = windows(series, lags, horizon)
    return ridge_path(_inputs(x, known), y.reshape(len(y), -1), [1e-6])[0], lags


def _inputs(x: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    parts = [x.reshape(len(x), -1)]
    if known is not None:
        parts.append(known.reshape(len(known), -1))
    return np.concatenate(parts, axis=1)
