"""Measures of forecasts. All take arrays of one shape and give one number."""

from __future__ import annotations

import numpy as np

from ..checks import as_float, probability, size
from ..typing import ArrayLike

__all__ = ["coverage", "mae", "mase", "pinball", "rmse", "seasonal_scale", "smape"]

_FLOAT = np.dtype(np.float64)


def mae(truth: ArrayLike, forecast: ArrayLike) -> float:
    """Return the mean absolute error, in the units of `truth`.

    Parameters
    ----------
    truth, forecast
        Of one shape.
    """
    y, f = _pair(truth, forecast)
    return float(np.mean(np.abs(f - y)))


def rmse(truth: ArrayLike, forecast: ArrayLike) -> float:
    """Return the root of the mean squared error, in the units of `truth`.

    Parameters
    ----------
    truth, forecast
        Of one shape.
    """
    y, f = _pair(truth, forecast)
    return float(np.sqrt(np.mean((f - y) ** 2)))


def smape(truth: ArrayLike, forecast: ArrayLike) -> float:
    """Return the symmetric mean absolute percentage error, from 0 to 200.

    It is ``mean(200 |f - y| / (|y| + |f|))``, where 0 / 0 counts as 0.

    Parameters
    ----------
    truth, forecast
        Of one shape.
    """
    y, f = _pair(truth, forecast)
    size = np.abs(y) + np.abs(f)
    return float(np.mean(200.0 * np.abs(f - y) / np.where(size > 0, size, 1.0)))


def seasonal_scale(history: ArrayLike, season: int) -> np.ndarray:
    """Return the mean absolute error of the seasonal-naive forecast within `history`.

    Parameters
    ----------
    history
        (T,) or (T, K), before the forecasts begin. Missing values (NaN) do not count.
    season
        The lag, in rows; fewer than T.

    Returns
    -------
    numpy.ndarray
        () or (K,), what `mase` divides by; 0 where no two values are a season apart.

    Raises
    ------
    ValueError
        `history` is not longer than `season`.
    """
    season = size("season", season)
    values = as_float("history", history, _FLOAT)
    if len(values) <= season:
        raise ValueError(f"history: expected more than season={season} rows, got {len(values)}")
    steps = np.abs(values[season:] - values[:-season])
    there = ~np.isnan(steps)
    return np.asarray(np.where(there, steps, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1))


def mase(truth: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> float | None:
    """Return the mean absolute scaled error (Hyndman and Koehler, 2006).

    Below 1, the forecast is better than the seasonal-naive one was in the history.

    Parameters
    ----------
    truth, forecast
        (..., K).
    scale
        () or (K,), of `seasonal_scale`.

    Returns
    -------
    float or None
        None where a scale is 0: the history is constant, and nothing can be divided by it.
    """
    y, f = _pair(truth, forecast)
    by = as_float("scale", scale, _FLOAT)
    if not np.all(by > 0):
        return None
    return float(np.mean(np.abs(f - y) / by))


def pinball(truth: ArrayLike, forecast: ArrayLike, quantile: float) -> float:
    """Return the mean pinball loss of a forecast quantile (Koenker and Bassett, 1978).

    Parameters
    ----------
    truth, forecast
        Of one shape.
    quantile
        From 0 to 1.
    """
    q = probability("quantile", quantile)
    y, f = _pair(truth, forecast)
    return float(np.mean(np.maximum(q * (y - f), (q - 1) * (y - f))))


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Return the share of the truth that lies from `low` to `high`.

    Parameters
    ----------
    truth, low, high
        Of one shape.
    """
    y, bottom = _pair(truth, low, "low")
    top = _pair(truth, high, "high")[1]
    return float(np.mean((bottom <= y) & (y <= top)))


def _pair(
    truth: ArrayLike, other: ArrayLike, name: str = "forecast"
) -> tuple[np.ndarray, np.ndarray]:
    y = as_float("truth", truth, _FLOAT)
    f = as_float(name, other, _FLOAT, shape=y.shape)
    for what, array in (("truth", y), (name, f)):
        if not np.isfinite(array).all() or not array.size:
            raise ValueError(f"{what}: expected finite numbers, got NaN, infinity or none at all")
    return y, f
