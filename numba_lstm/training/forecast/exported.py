"""What stands around a forecaster's model, for programs that run it without this package.

The model takes windows of scaled values and gives scaled forecasts. How a table becomes the one,
and the others numbers of the table again, is told by names, so that no order has to be guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...datasets.calendars import waves
from ...datasets.series_scaling import SeriesScaler
from .meaning import Meaning
from .session import LoadedForecaster

__all__ = ["about_forecaster"]

#: Counted on where a reader of the last one would go wrong.
_FORMAT = 1


def about_forecaster(loaded: LoadedForecaster, results: Mapping[str, Any]) -> dict[str, Any]:
    """Tell how a run's model is used, as ``docs/howto/forecasts.md`` explains it.

    Parameters
    ----------
    loaded
        The run.
    results
        Of `results.read_results`, whose errors make intervals.

    Returns
    -------
    dict
        For JSON:

        - ``format``: 1.
        - ``window``, ``horizon``: the rows that a forecast is made from, and the steps ahead.
        - ``frequency``: ``count`` of ``unit`` is a step, see `datasets.Frequency`; perhaps ``day``.
        - ``inputs``: of ``x`` (window, batch, columns), and of ``future`` (horizon, batch, columns)
          where there is one, which column is which.
        - ``outputs``: of ``y`` (horizon, batch, outputs), the ``target`` and the ``quantile`` of
          each output.
        - ``calendar``: by name the waves of the regular part, see `datasets.calendars.Wave`.
        - ``series``: by id (``""`` where there is one series without a name) what belongs to each:
          ``scaling``, of each column its ``mean`` and ``deviation``; ``seasonal``, of each column
          the weights of waves, by name; ``intervals``, of each target ``low`` and ``high``
          (horizon,) to be added to its forecast, where a back-test found them.
        - ``level``: the share of the truth that intervals should hold, where there are some.
        - ``until``: the time of the last row that trained or validated.
    """
    meaning, config = loaded.meaning, loaded.config
    step = {"count": meaning.count, "unit": meaning.unit}
    known = {"future": list(meaning.known)} if meaning.known else {}
    errors = (results.get("errors") or {}).get("ids", {})
    fitted = meaning.scalers.fitted
    regular = (one.seasonal.frequency for one in fitted)
    seasonal = next((one for one in regular if one is not None), None)
    about: dict[str, Any] = {
        "format": _FORMAT,
        "window": meaning.window,
        "horizon": meaning.horizon,
        "frequency": step if meaning.day is None else {**step, "day": meaning.day},
        "inputs": {"x": list(meaning.columns), **known},
        "outputs": {
            "y": [
                {"target": name, "quantile": quantile}
                for name in meaning.names
                for quantile in config.quantiles
            ]
        },
        "calendar": {
            one.name: {name: value for name, value in one._asdict().items() if name != "name"}
            for one in (() if seasonal is None else waves(seasonal))
        },
        "series": {
            id: _of_series(meaning, one, errors.get(id)) for id, one in zip(meaning.ids, fitted)
        },
        "until": meaning.until,
    }
    if errors or len(config.quantiles) > 1:
        about["level"] = config.level
    return about


def _of_series(
    meaning: Meaning, one: SeriesScaler, errors: Mapping[str, list[list[float]]] | None
) -> dict[str, Any]:
    """What belongs to one series."""
    scaler, regular = one.scaler, one.seasonal
    names = () if regular.frequency is None else tuple(w.name for w in waves(regular.frequency))
    found: dict[str, Any] = {
        "scaling": {
            name: {"mean": float(mean), "deviation": float(deviation)}
            for name, mean, deviation in zip(meaning.columns, scaler.mean, scaler.scale)
        },
        "seasonal": {
            name: dict(zip(names, weights.tolist()))
            for name, weights in zip(regular.names, regular.weights.T)
        },
    }
    if errors is not None:
        found["intervals"] = {
            name: {side: [step[k] for step in errors[side]] for side in ("low", "high")}
            for k, name in enumerate(meaning.names)
        }
    return found
