"""Back-tests of a run's model: again on its own data, or on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...datasets.series import shown
from ..runs.checkpoint import Run
from ..runs.options import ConfigError
from ..windowed.rows import Rows
from .data import load_data, scaled_rows, whole_forecasts
from .prediction import read_for
from .reading import ReadSeries
from .results import as_json, back_tests, read_results
from .session import LoadedForecaster

__all__ = ["BackTest", "own_back_test", "prepared"]


@dataclass(frozen=True, eq=False)
class BackTest:
    """What a model is to be tested on.

    Attributes
    ----------
    series, rows
        As they were read, and scaled.
    firsts, folds
        Of each series the row at which its first forecast begins, and how many there are.
    linear
        What the linear baseline of each series is fitted on; None for all before each forecast.
    ends
        The errors that make each series' intervals; None for those of the other forecasts.
    notes
        What was inferred.
    """

    series: Sequence[ReadSeries]
    rows: Rows
    firsts: Sequence[int]
    folds: Sequence[int]
    linear: Sequence[Any] | None
    ends: Sequence[tuple[np.ndarray, np.ndarray]] | None
    notes: tuple[str, ...]

    def run(self, loaded: LoadedForecaster) -> dict[str, Any]:
        """Test, and give the figures for JSON."""
        found = back_tests(loaded, self.series, self.rows, self.firsts, self.folds, self.linear)
        return as_json(found, loaded, self.ends)


def own_back_test(loaded: LoadedForecaster) -> BackTest:
    """The back-test that a run ended with.

    Raises
    ------
    ConfigError
        When the data are others than those that it was trained on, or it has no back-test.
    """
    data = load_data(loaded.config, loaded.meaning)
    if data.digest() != Run(loaded.path).load().counters.get("digest"):
        raise ConfigError(f"data: {loaded.config.data} has changed since the run; give --data")
    if not data.folds:
        raise ConfigError("data: expected a file, for the run holds nothing back (folds is 0)")
    firsts = [split.first for split in data.splits]
    about = data.series, data.rows, firsts, data.tested, data.learnt
    return BackTest(*about, None, data.notes)


def prepared(loaded: LoadedForecaster, file: str, given: Mapping[str, Any]) -> BackTest:
    """A back-test on a file: as many forecasts as the run's own has, or as fit.

    The linear baseline is fitted anew on what comes before each forecast, so that it has seen the
    file as the model has not. A series that the run does not know is scaled by its rows before the
    first forecast.

    Raises
    ------
    ConfigError
        When a series is too short for one forecast, keeps another step, or has no value there.
    OSError, ValueError
        When the file cannot be read.
    """
    meaning, results = loaded.meaning, read_results(Run(loaded.path))
    least = meaning.window + meaning.horizon
    series = read_for(loaded, file, "data", given, least)
    fit = min(1 + (len(one.series) - least) // meaning.horizon for one in series)
    wanted = results["backtest"]["folds"] if "backtest" in results else loaded.config.folds or 5
    folds = min(wanted, fit)
    notes = [note for one in series for note in one.notes]
    if folds < wanted:
        notes.append(f"{file}: rows for {folds} forecasts only, of {wanted}")
    firsts = [len(one.series) - folds * meaning.horizon for one in series]
    scalers = [
        meaning.scalers.of(one.series.part(None, first)) for one, first in zip(series, firsts)
    ]
    rows = scaled_rows(series, scalers, loaded.config.dtype)
    counts = [whole_forecasts(one, first, meaning.horizon) for one, first in zip(series, firsts)]
    if not any(counts):
        raise ConfigError(f"{file}: expected values to forecast, got none: all were missing")
    starts = [one.series.time[first] for one, first in zip(series, firsts)]
    if _comparable(starts[0]) and any(shown(start) <= meaning.until for start in starts):
        notes.append(
            f"{file}: the back-test begins at {shown(min(starts))}, and the run was trained on "
            f"rows up to {meaning.until}: if they are the same, its figures say little"
        )
    ends = _ends([one for one, count in zip(series, counts) if count], results)
    return BackTest(series, rows, firsts, counts, None, ends, tuple(notes))


def _comparable(time: Any) -> bool:
    """Whether times as text are in the order of time."""
    return isinstance(time, np.datetime64)


def _ends(
    series: Sequence[ReadSeries], results: Mapping[str, Any]
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """The errors that make the intervals of series that the run knows; None if it does not."""
    errors = results.get("errors")
    if not errors or not all(one.series.id in errors["ids"] for one in series):
        return None
    found = [errors["ids"][one.series.id] for one in series]
    return [(np.array(one["low"]), np.array(one["high"])) for one in found]
