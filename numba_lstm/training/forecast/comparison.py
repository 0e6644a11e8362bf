"""A model's back-test beside those of the forecasts that cost nothing.

Each forecast is made from what was known at its origin. The model was trained before the first
one, once, and so was the linear baseline, on all rows before it; neither is fitted again on the
way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...datasets import baselines, metrics
from ...datasets.rolling import Backtest, backtest, interval_errors
from ...datasets.series import Series
from ..windowed.rows import last_known, seen_at
from .reading import ReadSeries

__all__ = [
    "BASELINES",
    "LINEAR_MEMBERS",
    "MODELS",
    "Comparison",
    "as_unit",
    "compare",
    "interval_ends",
    "measures",
    "naive_scale",
    "season_before",
]

BASELINES = ("linear", "seasonal_naive", "last_value")
#: In the order of the table: what forecasts, its networks alone, and what costs nothing.
MODELS = ("model", "network", *BASELINES)
#: The model's linear forecasters without its networks; only where it has some.
LINEAR_MEMBERS = "linear_members"
# By default the linear baseline takes two seasons of each column.
_LONG_SEASON = 200


@dataclass(frozen=True, eq=False)
class Comparison:
    """The back-tests of one series.

    Attributes
    ----------
    read : ReadSeries
        The series.
    models : dict of str to Backtest
        By the names of `MODELS`, and perhaps `LINEAR_MEMBERS`.
    quantiles : numpy.ndarray
        (F, H, K, Q), the model's.
    errors : numpy.ndarray
        (O, H, K), truth minus forecast of the model at each of the O rows from the first origin to
        the last one; NaN where the truth was filled.
    filled : int
        How many of the values that were forecast were filled: missing when they were read. They
        are not judged.
    """

    read: ReadSeries
    models: dict[str, Backtest]
    quantiles: np.ndarray
    errors: np.ndarray
    filled: int

    @property
    def id(self) -> str:
        """The series' name."""
        return self.read.series.id

    def intervals(self, level: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Give the ends of the model's intervals, (F, H, K).

        They are those that it has learnt, or each is made of the errors of forecasts that have no
        step in common with its own. None where there are no such.
        """
        if self.quantiles.shape[-1] > 1:
            return self.quantiles[..., 0], self.quantiles[..., -1]
        forecast = self.models["model"].forecast
        folds, horizon = forecast.shape[:2]
        if folds < 2:
            return None
        origins = np.arange(len(self.errors))
        others = [self.errors[np.abs(origins - fold * horizon) >= horizon] for fold in range(folds)]
        if any(np.isnan(errors).all(axis=(0, 1)).any() for errors in others):
            return None  # so much was filled that there is nothing else to go by
        sides = [interval_ends(errors, level) for errors in others]
        low, high = (np.stack(side) for side in zip(*sides))
        return forecast + low, forecast + high


def compare(
    one: ReadSeries,
    told: Mapping[str, np.ndarray],
    origins: np.ndarray,
    linear: Series | None,
) -> Comparison:
    """Judge forecasts of a series, and those of the baselines.

    Parameters
    ----------
    one
        The series.
    told
        (O, H, K, Q), the forecasts of the "model", of its "network" alone, and perhaps of its
        `LINEAR_MEMBERS` alone.
    origins
        (O,) the rows at which they begin, each up to the last one. Those that are judged are one
        horizon apart; intervals are made of the errors of all.
    linear
        What the linear baseline is fitted on; None for all that is before each origin.
    """
    said = told["model"]
    first, horizon = int(origins[0]), said.shape[1]
    folds = 1 + (len(said) - 1) // horizon
    end = first + folds * horizon
    series = one.series.part(None, end)
    last = real = None
    if one.real is not None:
        last, real = last_known(one.real[:end]), one.real[:end, : series.targets]
    middle = said.shape[-1] // 2

    def again(said: np.ndarray) -> baselines.Forecast:
        return lambda history, horizon, future: said[len(history) - first, ..., middle]

    season = season_before(series, first)
    forecasters: dict[str, baselines.Forecast] = {
        **{name: again(said) for name, said in told.items()},
        "linear": _as_known(baselines.linear(_lags(season), linear), last),
        "seasonal_naive": _as_known(baselines.seasonal_naive(season), last),
        "last_value": _as_known(baselines.seasonal_naive(1), last),
    }
    found = {
        name: backtest(made, series, horizon, folds, real=real)
        for name, made in forecasters.items()
    }
    target, filled = series.target[first:], 0
    if real is not None:
        target, filled = np.where(real[first:], target, np.nan), int((~real[first:]).sum())
    truth = np.lib.stride_tricks.sliding_window_view(target, horizon, axis=0)
    errors = truth.swapaxes(1, 2) - said[..., middle]
    return Comparison(one, found, said[::horizon], errors, filled)


def interval_ends(errors: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends (H, K) of intervals made of errors (O, H, K), such that the forecast is within.

    A model that errs to one side only would have it outside.
    """
    low, high = interval_errors(errors, level)
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def measures(found: Sequence[Backtest], target: int | None = None) -> dict[str, float | None]:
    """Errors over the back-tests of several series, of all targets or of one.

    ``mae``, ``rmse`` and ``smape`` are over all forecasts; ``mase`` is the mean of those of the
    series, and None where a series is constant before its back-test.
    """
    parts = [
        [
            one.judged(values, target)
            for values in (one.truth, one.forecast, np.broadcast_to(one.scale, one.truth.shape))
        ]
        for one in found
    ]
    truth, said = (np.concatenate(side) for side in list(zip(*parts))[:2])
    scaled = [metrics.mase(*part) for part in parts]
    known = [value for value in scaled if value is not None]
    return {
        "mae": metrics.mae(truth, said),
        "rmse": metrics.rmse(truth, said),
        "mase": float(np.mean(known)) if len(known) == len(scaled) else None,
        "smape": metrics.smape(truth, said),
    }


def as_unit(scale: np.ndarray) -> np.ndarray:
    """Of a series' seasonal-naive errors, the units of its errors: 1 for what is constant."""
    return np.where(scale > 0, scale, 1.0)


def naive_scale(one: ReadSeries, rows: int) -> np.ndarray:
    """(K,) the seasonal-naive error of a series' first rows, of values that were there."""
    target = one.series.target[:rows]
    if one.real is not None:
        target = np.where(one.real[:rows, : one.series.targets], target, np.nan)
    return metrics.seasonal_scale(target, season_before(one.series, rows))


def season_before(series: Series, origin: int) -> int:
    """The rows of a season, or 1 where there is none, or none before an origin."""
    season = 1 if series.frequency is None else series.frequency.season
    return season if season < origin else 1


def _lags(season: int) -> int | None:
    """Those of the linear baseline: its own choice, unless a season makes that a large matrix."""
    return None if season <= _LONG_SEASON else 24


def _as_known(forecast: Callable[..., np.ndarray], last: np.ndarray | None) -> baselines.Forecast:
    """A forecaster that sees a history as it was known at its end."""
    if last is None:
        return forecast

    def as_known(history: Series, horizon: int, future: Any) -> np.ndarray:
        rows = np.arange(len(history))
        values = seen_at(history.values, last[: len(history)], rows)
        return forecast(replace(history, values=values), horizon, future)

    return as_known
