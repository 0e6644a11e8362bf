"""A model's back-test beside those of the forecasts that cost nothing.

Each forecast is made from what was known at its origin. The model was trained before the first
one, once, and so was the linear baseline, on all rows before it; neither is fitted again on the
way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...datasets import baselines, metrics
from ...datasets.rolling import Backtest, backtest
from ...datasets.series import Series
from .reading import ReadSeries
from .windows import last_known, seen_at

__all__ = ["MODELS", "Comparison", "compare", "measures", "season_before"]

#: In the order of the table.
MODELS = ("model", "linear", "seasonal_naive", "last_value")
# By default the linear baseline takes two seasons of each column.
_LONG_SEASON = 200


@dataclass(frozen=True, eq=False)
class Comparison:
    """The back-tests of one series.

    Attributes
    ----------
    id : str
        The series' name.
    models : dict of str to Backtest
        By the names of `MODELS`.
    quantiles : numpy.ndarray
        (F, H, K, Q), the model's.
    filled : int
        How many of the values that were forecast were filled: missing when they were read.
    """

    id: str
    models: dict[str, Backtest]
    quantiles: np.ndarray
    filled: int


def compare(
    one: ReadSeries, said: np.ndarray, origins: np.ndarray, linear: Series | None
) -> Comparison:
    """Judge forecasts of a series, and those of the baselines.

    Parameters
    ----------
    one
        The series.
    said
        (F, H, K, Q), the model's forecasts.
    origins
        (F,) the rows at which they begin, one horizon apart up to the end of the series.
    linear
        What the linear baseline is fitted on; None for all that is before each origin.
    """
    columns = _own_columns(one)
    series = _with_columns(one.series, columns)
    last = None if one.real is None else last_known(one.real[:, : len(columns)])
    folds, horizon = said.shape[:2]
    place = {int(origin): fold for fold, origin in enumerate(origins)}
    middle = said.shape[-1] // 2

    def of_model(history: Series, horizon: int, future: Any) -> np.ndarray:
        return said[place[len(history)], :, :, middle]

    train = None if linear is None else _with_columns(linear, columns)
    season = season_before(one.series, int(origins[0]))
    forecasters: dict[str, baselines.Forecast] = {
        "model": of_model,
        "linear": _as_known(baselines.linear(_lags(season), train), last),
        "seasonal_naive": _as_known(baselines.seasonal_naive(season), last),
        "last_value": _as_known(baselines.seasonal_naive(1), last),
    }
    found = {name: backtest(made, series, horizon, folds) for name, made in forecasters.items()}
    filled = 0
    if one.real is not None:
        filled = int((~one.real[int(origins[0]) :, : series.targets]).sum())
    return Comparison(series.id, found, said, filled)


def measures(found: Sequence[Backtest], target: int | None = None) -> dict[str, float | None]:
    """Errors over the back-tests of several series, of all targets or of one.

    ``mae``, ``rmse`` and ``smape`` are over all forecasts; ``mase`` is the mean of those of the
    series, and None where a series is constant before its back-test.
    """
    which = slice(None) if target is None else slice(target, target + 1)
    truth = np.concatenate([one.truth[..., which].reshape(-1) for one in found])
    said = np.concatenate([one.forecast[..., which].reshape(-1) for one in found])
    scaled = [
        metrics.mase(one.truth[..., which], one.forecast[..., which], one.scale[which])
        for one in found
    ]
    known = [value for value in scaled if value is not None]
    return {
        "mae": metrics.mae(truth, said),
        "rmse": metrics.rmse(truth, said),
        "mase": float(np.mean(known)) if len(known) == len(scaled) else None,
        "smape": metrics.smape(truth, said),
    }


def season_before(series: Series, origin: int) -> int:
    """The rows of a season, or 1 where there is none, or none before an origin."""
    season = 1 if series.frequency is None else series.frequency.season
    return season if season < origin else 1


def _lags(season: int) -> int | None:
    """Those of the linear baseline: its own choice, unless a season makes that a large matrix."""
    return None if season <= _LONG_SEASON else 24


def _own_columns(one: ReadSeries) -> list[int]:
    """The columns that the file has: without the calendar's, which baselines do better without."""
    count = len(one.series.names) - one.calendar
    return list(range(count))


def _with_columns(series: Series, columns: list[int]) -> Series:
    names = tuple(series.names[k] for k in columns)
    known = tuple(name for name in series.known if name in names)
    return replace(series, values=series.values[:, columns], names=names, known=known)


def _as_known(forecast: Callable[..., np.ndarray], last: np.ndarray | None) -> baselines.Forecast:
    """A forecaster that sees a history as it was known at its end."""
    if last is None:
        return forecast

    def as_known(history: Series, horizon: int, future: Any) -> np.ndarray:
        rows = np.arange(len(history))
        values = seen_at(history.values, last[: len(history)], rows)
        return forecast(replace(history, values=values), horizon, future)

    return as_known
