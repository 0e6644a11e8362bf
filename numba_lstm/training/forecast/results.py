"""What is found of a forecaster when its training is done: ``results.json`` in its run.

The back-test's figures beside those of the baselines; the errors from which prediction intervals
are made; and, to be drawn, the forecasts of the first series.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...datasets import metrics
from ...datasets.series import shown
from ..runs.checkpoint import RESULTS, Run
from ..runs.folders import RunError
from ..windowed.rows import KnownWindows, Rows
from .combining import Combined, combine
from .comparison import (
    LINEAR_MEMBERS,
    MODELS,
    Comparison,
    as_unit,
    compare,
    interval_ends,
    measures,
    naive_scale,
)
from .data import ForecastData
from .reading import ReadSeries
from .results_check import check_results
from .session import LoadedForecaster, load_forecaster, read_meaning
from .task import ForecastTask, forecast

__all__ = ["as_json", "back_tests", "measure", "read_results"]

# So many series are kept to be drawn.
_DRAWN = 3


def measure(task: ForecastTask, run: Run) -> dict[str, Any]:
    """Put the forecasters of a run together, back-test them, and write down what is found.

    Returns
    -------
    dict
        ``weights`` of the kinds of forecasters, and ``errors`` that make intervals; where there is
        a back-test what `as_json` gives, and ``drawn``. Without one the errors are those on what
        validates, of forecasters that had not learnt it.
    """
    data = task.data
    combined = combine(task.config, data, run)
    if not data.folds:
        # They say, too, that the run has ended.
        without = {"weights": combined.weights, "errors": _valid_errors(data, combined, task)}
        run.write(RESULTS, json.dumps(without, allow_nan=False) + "\n")
        return without
    loaded = load_forecaster(run.path)
    firsts = [split.first for split in data.splits]
    found = back_tests(loaded, data.series, data.rows, firsts, data.tested, data.learnt)
    level = loaded.config.level
    results = as_json(found, loaded)
    results["errors"] = None
    if not _learnt(found):
        scales = [one.models["model"].scale for one in found]
        about = [one.errors for one in found], scales, [one.id for one in found]
        results["errors"] = _errors(*about, level)
    # Of one shape: those that have all forecasts.
    whole = [one for one in found if len(one.quantiles) == results["backtest"]["folds"]]
    results["drawn"] = [_drawn(one, level) for one in whole[:_DRAWN]]
    run.write(RESULTS, json.dumps(results, allow_nan=False) + "\n")
    return results


def back_tests(
    loaded: LoadedForecaster,
    series: Sequence[ReadSeries],
    rows: Rows,
    firsts: Sequence[int],
    folds: Sequence[int],
    linear: Sequence[Any] | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[Comparison]:
    """Forecast series from some origins on, by a model and by the baselines.

    Parameters
    ----------
    loaded
        The run.
    series, rows
        As they were read, and scaled.
    firsts
        Of each series the row at which its first forecast begins.
    folds
        Of each how many forecasts, one horizon apart; those of 0 are passed over.
    linear
        What the linear baseline of each series is fitted on; None for all before each origin.
    check
        Called between batches.
    """
    sizes, which = loaded.meaning.sizes, [n for n, count in enumerate(folds) if count]
    origins = [firsts[n] + np.arange((folds[n] - 1) * sizes.horizon + 1) for n in which]
    counted = np.concatenate([rows.starts[n] + here for n, here in zip(which, origins)])
    windows = KnownWindows(rows, counted, sizes, 256)
    models = {"model": loaded.model, "network": loaded.network, LINEAR_MEMBERS: loaded.linear}
    told = {
        name: np.split(forecast(model, windows, check), np.cumsum([*map(len, origins)])[:-1])
        for name, model in models.items()
        if model is not None
    }
    said = [dict(zip(told, one)) for one in zip(*told.values())]
    trains = [None if linear is None else linear[n] for n in which]
    tested = [series[n] for n in which]
    return [compare(*about) for about in zip(tested, said, origins, trains)]


def as_json(
    found: Sequence[Comparison],
    loaded: LoadedForecaster,
    ends: Sequence[tuple[np.ndarray, np.ndarray]] | None = None,
) -> dict[str, Any]:
    """The figures, for JSON.

    Parameters
    ----------
    found
        Of each series.
    loaded
        The run.
    ends
        The errors (H, K) that make a series' intervals; by default each forecast's are from those
        of the other folds.

    Returns
    -------
    dict
        ``weights``, ``backtest`` with the measures of each model (of several series also the
        MASE of each), and ``intervals``.
    """
    first = found[0].models["model"]
    times = [one.models["model"].time for one in found]
    names = first.names
    backtest: dict[str, Any] = {
        "folds": max(len(one.models["model"].origins) for one in found),
        "horizon": first.truth.shape[1],
        "from": shown(min(time.min() for time in times)),
        "to": shown(max(time.max() for time in times)),
        "filled": sum(one.filled for one in found),
    }
    models = tuple(found[0].models)
    for name in models:
        backtest[name] = measures([one.models[name] for one in found])
    if len(names) > 1:
        backtest["targets"] = {
            name: {model: measures([one.models[model] for one in found], k) for model in models}
            for k, name in enumerate(names)
        }
    if len(found) > 1:
        backtest["series"] = {
            one.id: {name: measures([one.models[name]])["mase"] for name in models} for one in found
        }
    backtest["better"] = _better(found)
    level = loaded.config.level
    intervals = _intervals(found, level, ends)
    return {"weights": loaded.weights, "backtest": backtest, "intervals": intervals}


def read_results(run: Run) -> dict[str, Any]:
    """Read what `measure` wrote; nothing of a run that has not ended.

    Raises
    ------
    RunError
        When the file is damaged, or something else has its name.
    """
    if not run.has(RESULTS):
        return {}
    found = run.read_json(RESULTS)
    try:
        check_results(found, read_meaning(run))
    except RunError:
        raise
    except ValueError as error:
        raise RunError(f"{run.path / RESULTS}: {error}") from None
    return found


def _learnt(found: Sequence[Comparison]) -> bool:
    """Whether the model has learnt the ends of its intervals."""
    return found[0].quantiles.shape[-1] > 1


def _better(found: Sequence[Comparison]) -> dict[str, float]:
    """The share of forecasts in which the model's mean absolute error is lower, by rival.

    A difference of round-off is none.
    """
    ours = np.concatenate([_by_fold(one, "model") for one in found])
    shares = {}
    rivals = [name for name in found[0].models if name not in ("model", "network")]
    for name in rivals:
        theirs = np.concatenate([_by_fold(one, name) for one in found])
        shares[name] = float(np.mean(ours < (1.0 - 1e-5) * theirs))
    return shares


def _by_fold(one: Comparison, name: str) -> np.ndarray:
    """Errors of those forecasts that there is any truth of, each target on its own scale."""
    test = one.models[name]
    errors = np.abs(test.errors) / as_unit(test.scale)
    if test.real is None:
        return errors.mean(axis=(1, 2))
    count = test.real.sum(axis=(1, 2))
    return np.nansum(errors, axis=(1, 2))[count > 0] / count[count > 0]


def _intervals(
    found: Sequence[Comparison],
    level: float,
    errors: Sequence[tuple[np.ndarray, np.ndarray]] | None,
) -> dict[str, Any]:
    source = "quantile loss" if _learnt(found) else "back-test errors"
    about: dict[str, Any] = {"level": level, "source": source, "coverage": None, "width": None}
    sides = [one.intervals(level) for one in found]
    if errors is not None and not _learnt(found):
        said = [one.models["model"].forecast for one in found]
        sides = [(here + low, here + high) for here, (low, high) in zip(said, errors)]
    there = [ends for ends in sides if ends is not None]
    if there:
        tests = [one.models["model"] for one, ends in zip(found, sides) if ends is not None]
        judged = [
            [test.judged(values) for values in (test.truth, low, high)]
            for test, (low, high) in zip(tests, there)
        ]
        about["coverage"] = metrics.coverage(*(np.concatenate(side) for side in zip(*judged)))
        low, high = (np.concatenate(side) for side in zip(*there))
        if low.shape[-1] == 1:  # several targets have no common unit
            about["width"] = float(np.mean(high - low))
    return about


def _errors(
    errors: Sequence[np.ndarray], scales: Sequence[np.ndarray], ids: Sequence[str], level: float
) -> dict[str, Any]:
    """The ends of the intervals, relative to a forecast: of each series, and of any other one.

    Those of another series are in units of its seasonal-naive error.
    """
    relative = [one / as_unit(scale) for one, scale in zip(errors, scales)]
    return {
        "ids": {id: _ends_as_json(one, level) for id, one in zip(ids, errors)},
        "other": _ends_as_json(np.concatenate(relative), level),
    }


def _valid_errors(
    data: ForecastData, combined: Combined, task: ForecastTask
) -> dict[str, Any] | None:
    """The same of the errors on what validates; None where nothing does, or ends are learnt."""
    if combined.errors is None or len(task.config.quantiles) > 1:
        return None
    which = data.rows.series_of(data.valid_origins)
    errors, scales, ids = [], [], []
    for n, one in enumerate(data.series):
        here = combined.errors[which == n] * data.rows.scale[n]
        if len(here) and not np.isnan(here).all(axis=(0, 1)).any():
            errors.append(here)
            scales.append(naive_scale(one, data.splits[n].train))
            ids.append(one.series.id)
    return _errors(errors, scales, ids, task.config.level) if errors else None


def _ends_as_json(errors: np.ndarray, level: float) -> dict[str, Any]:
    low, high = interval_ends(errors, level)
    return {"low": low.tolist(), "high": high.tolist()}


def _drawn(one: Comparison, level: float) -> dict[str, Any]:
    """What a picture of a series' back-test shows, for JSON; (F, H, K) as nested lists."""
    test, ends, series = one.models["model"], one.intervals(level), one.read.series
    first, count = int(test.origins[0]), test.truth.shape[1]
    before = slice(max(first - 2 * count, 0), first)
    return {
        "id": one.id,
        "names": list(test.names),
        "history": {
            "time": [str(time) for time in series.time[before]],
            "values": series.target[before].tolist(),
        },
        "time": [[str(time) for time in row] for row in test.time],
        "truth": test.truth.tolist(),
        "low": None if ends is None else ends[0].tolist(),
        "high": None if ends is None else ends[1].tolist(),
        **{name: one.models[name].forecast.tolist() for name in MODELS},
    }
