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
from .combining import combine
from .comparison import (
    LINEAR_MEMBERS,
    MODELS,
    Comparison,
    as_unit,
    compare,
    interval_ends,
    measures,
)
from .reading import ReadSeries
from .results_check import check_results
from .session import LoadedForecaster, load_forecaster, read_meaning
from .task import ForecastTask, forecast
from .windows import Rows, WindowBatches

__all__ = ["as_json", "back_tests", "measure", "read_results"]

# So many series are kept to be drawn.
_DRAWN = 3


def measure(task: ForecastTask, run: Run) -> dict[str, Any]:
    """Put the forecasters of a run together, back-test them, and write down what is found.

    Returns
    -------
    dict
        ``weights`` of the kinds of forecasters; where there is a back-test what `as_json` gives,
        and ``errors`` and ``drawn``.
    """
    data = task.data
    combined = combine(task.config, data, run)
    if not data.folds:
        # They say, too, that the run has ended.
        run.write(RESULTS, json.dumps({"weights": combined.weights}) + "\n")
        return {"weights": combined.weights}
    loaded = load_forecaster(run.path)
    trained = [one.series.part(None, split.first) for one, split in zip(data.series, data.splits)]
    found = back_tests(loaded, data.series, data.rows, data.folds, trained)
    level = loaded.config.level
    results = as_json(found, loaded)
    results["errors"] = None if _learnt(found) else _errors(found, level)
    results["drawn"] = [
        _drawn(one, read, level) for one, read in list(zip(found, data.series))[:_DRAWN]
    ]
    run.write(RESULTS, json.dumps(results, allow_nan=False) + "\n")
    return results


def back_tests(
    loaded: LoadedForecaster,
    series: Sequence[ReadSeries],
    rows: Rows,
    folds: int,
    linear: Sequence[Any] | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[Comparison]:
    """Forecast the end of each series from ``folds`` origins, by a model and by the baselines.

    Parameters
    ----------
    loaded
        The run.
    series, rows
        As they were read, and scaled.
    folds
        How many forecasts, one horizon apart.
    linear
        What the linear baseline of each series is fitted on; None for all before each origin.
    check
        Called between batches.
    """
    meaning = loaded.meaning
    behind = np.arange(folds * meaning.horizon, meaning.horizon - 1, -1)
    origins = [len(one.series) - behind for one in series]
    counted = np.concatenate([start + here for start, here in zip(rows.starts, origins)])
    windows = WindowBatches(rows, counted, meaning, 256)
    models = {"model": loaded.model, "network": loaded.network, LINEAR_MEMBERS: loaded.linear}
    told = {
        name: np.split(forecast(model, windows, check), len(series))
        for name, model in models.items()
        if model is not None
    }
    said = [dict(zip(told, one)) for one in zip(*told.values())]
    trains = [None] * len(series) if linear is None else linear
    return [compare(*about) for about in zip(series, said, origins, trains)]


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
        "folds": len(first.origins),
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
    """Read what `measure` wrote; nothing of a run that has no back-test, or has not ended.

    Raises
    ------
    RunError
        When the file is damaged.
    """
    path = run.path / RESULTS
    if not path.is_file():
        return {}
    found = run.read_json(RESULTS)
    if isinstance(found, dict) and set(found) == {"weights"}:
        return {}
    try:
        check_results(found, read_meaning(run))
    except RunError:
        raise
    except ValueError as error:
        raise RunError(f"{path}: {error}") from None
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
    """(F,) errors, each target on its own scale."""
    test = one.models[name]
    return (np.abs(test.errors) / as_unit(test.scale)).mean(axis=(1, 2))


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
    if len(there) == len(found):
        low, high = (np.concatenate(side) for side in zip(*there))
        truth = np.concatenate([one.models["model"].truth for one in found])
        about["coverage"] = metrics.coverage(truth, low, high)
        if truth.shape[-1] == 1:  # several targets have no common unit
            about["width"] = float(np.mean(high - low))
    return about


def _errors(found: Sequence[Comparison], level: float) -> dict[str, Any]:
    """The ends of the intervals, relative to a forecast: of each series, and of any other one.

    Those of another series are in units of its seasonal-naive error.
    """
    ids = {one.id: _ends_as_json(one.errors, level) for one in found}
    relative = [one.errors / as_unit(one.models["model"].scale) for one in found]
    return {"ids": ids, "other": _ends_as_json(np.concatenate(relative), level)}


def _ends_as_json(errors: np.ndarray, level: float) -> dict[str, Any]:
    low, high = interval_ends(errors, level)
    return {"low": low.tolist(), "high": high.tolist()}


def _drawn(one: Comparison, read: ReadSeries, level: float) -> dict[str, Any]:
    """What a picture of a series' back-test shows, for JSON; (F, H, K) as nested lists."""
    test, ends = one.models["model"], one.intervals(level)
    first, count = int(test.origins[0]), test.truth.shape[1]
    before = slice(max(first - 2 * count, 0), first)
    return {
        "id": one.id,
        "names": list(test.names),
        "history": {
            "time": [str(time) for time in read.series.time[before]],
            "values": read.series.target[before].tolist(),
        },
        "time": [[str(time) for time in row] for row in test.time],
        "truth": test.truth.tolist(),
        "low": None if ends is None else ends[0].tolist(),
        "high": None if ends is None else ends[1].tolist(),
        **{name: one.models[name].forecast.tolist() for name in MODELS},
    }
