"""What follows the end of series: forecasts with their times and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...datasets.frequency import Frequency
from ...datasets.series import Series, shown
from ...datasets.time_writing import TimeForm
from ..runs.options import ConfigError
from ..windowed.rows import KnownWindows
from .comparison import as_unit, naive_scale
from .data import scaled_rows
from .reading import ReadSeries, read_all
from .session import LoadedForecaster
from .task import forecast

__all__ = ["Prediction", "predict", "read_for"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """The next steps of one series.

    Attributes
    ----------
    id : str
        The series' name.
    time : numpy.ndarray
        (H,), as the series has them.
    values : numpy.ndarray
        (H, K), in the series' own units.
    low, high : numpy.ndarray or None
        (H, K), the ends of the intervals; None where the run knows of none.
    form : TimeForm
        How the series' source writes its times.
    """

    id: str
    time: np.ndarray
    values: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    form: TimeForm


def read_for(
    loaded: LoadedForecaster, file: str, name: str, given: Mapping[str, Any], rows: int
) -> list[ReadSeries]:
    """Read the series of a file for a run's model.

    Parameters
    ----------
    loaded
        The run.
    file, name
        The file, and the option that names it.
    given
        Options of how a table is read that are told for this file only.
    rows
        How many each series must have.

    Raises
    ------
    ConfigError
        When they keep another step than the run's, or are too short.
    OSError, ValueError
        When the file cannot be read.
    """
    meaning = loaded.meaning
    found = read_all(file, loaded.config, name, given, meaning.frequency)
    for one in found:
        if len(one.series) < rows:
            raise ConfigError(
                f"{one.name}: too short: a window of {meaning.window} needs {rows} rows, got "
                f"{len(one.series)}"
            )
        step = one.series.frequency
        if step != meaning.frequency:
            raise ConfigError(
                f"{one.name}: expected rows every {_words(meaning.frequency, step)}, as the run "
                f"was trained on, got {'no step' if step is None else 'every '}"
                f"{_words(step, meaning.frequency)}"
            )
    return found


def _words(one: Frequency | None, other: Frequency | None) -> str:
    """A step in words that tell it from the other one."""
    if one is None:
        return ""
    if other is None or one.words != other.words:
        return one.words
    return f"{one.words} ({one.unit})" if one.day is None else f"{one.words} on day {one.day}"


def predict(
    loaded: LoadedForecaster, series: Sequence[ReadSeries], results: Mapping[str, Any]
) -> list[Prediction]:
    """Forecast what follows the last row that has a target.

    A series that the run does not know by its id is scaled by the rows that are given of it.

    Parameters
    ----------
    loaded
        The run.
    series
        Of `read_for`.
    results
        Of `results.read_results`, whose errors make the intervals where the model has not learnt
        them.

    Raises
    ------
    ConfigError
        When what is known ahead is not told for all steps.
    """
    meaning, config = loaded.meaning, loaded.config
    futures = [_future(one, meaning.horizon) for one in series]
    longer = [_with_future(one, *future) for one, future in zip(series, futures)]
    scalers = [meaning.scalers.of(one.series) for one in series]
    rows = scaled_rows(longer, scalers, config.dtype)
    origins = rows.starts + [len(one.series) for one in series]
    windows = KnownWindows(rows, origins, meaning.sizes, 256)
    said = forecast(loaded.model, windows)
    found = []
    for one, (time, _), here in zip(series, futures, said):
        middle = here[..., here.shape[-1] // 2]
        ends = _ends(one, here, middle, results)
        found.append(Prediction(one.series.id, time, middle, *ends, one.series.form))
    return found


def _future(one: ReadSeries, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """The times that follow, and what is known of them (H, E)."""
    series, ahead = one.series, one.ahead
    assert series.frequency is not None
    time = series.frequency.after(series.time[-1], horizon)
    known = np.empty((horizon, 0))
    return time, _told(one, ahead, series.known, time) if series.known else known


def _told(
    one: ReadSeries, ahead: Series | None, own: Sequence[str], time: np.ndarray
) -> np.ndarray:
    """The file's columns that are known ahead, of the steps that are forecast."""
    columns = [one.series.names.index(name) for name in own]
    known = np.full((len(time), len(own)), np.nan)
    if ahead is not None:
        rows = ahead.values[: len(time), columns]
        # A row that is taken for a step has no time of its own.
        at = np.arange(len(rows)) if one.steps else np.searchsorted(time, ahead.time[: len(time)])
        for row, place in enumerate(at):
            if place < len(time) and (one.steps or ahead.time[row] == time[place]):
                known[place] = rows[row]
    missing = np.isnan(known)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise ConfigError(
            f"{one.name}: expected a row for each of the {len(time)} steps from {shown(time[0])} "
            f"to {shown(time[-1])} with what is known ahead ({', '.join(own)}), got no "
            f"{own[column]} at {shown(time[row])}"
        )
    return known


def _with_future(one: ReadSeries, time: np.ndarray, known: np.ndarray) -> ReadSeries:
    """The series and behind it rows of which only the columns known ahead are looked at."""
    series = one.series
    more = np.repeat(series.values[-1:], len(time), axis=0)
    if known.shape[1]:
        more[:, -known.shape[1] :] = known
    longer = replace(
        series,
        values=np.concatenate([series.values, more]),
        time=np.concatenate([series.time, time]),
    )
    real = None
    if one.real is not None:
        real = np.concatenate([one.real, np.ones(more.shape, bool)])
    return replace(one, series=longer, real=real)


def _ends(
    one: ReadSeries, said: np.ndarray, middle: np.ndarray, results: Mapping[str, Any]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if said.shape[-1] > 1:
        return said[..., 0], said[..., -1]
    errors = results.get("errors")
    if not errors:
        return None, None
    found, scale = errors["ids"].get(one.series.id), np.array(1.0)
    if found is None:  # a series that the run has not seen
        found, scale = errors["other"], as_unit(naive_scale(one, len(one.series)))
    low, high = (np.array(found[side]) * scale for side in ("low", "high"))
    return middle + low, middle + high
