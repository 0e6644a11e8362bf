"""Series from the files that options name: read, cut to where the target is, gaps dealt with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets.frequency import Frequency
from ...datasets.regularity import as_steps, values_there
from ...text.sources import path_of
from ..runs.options import ConfigError, names
from .config import BUNDLED, READING, ForecastConfig

if TYPE_CHECKING:
    from ...datasets import Series

__all__ = ["ReadSeries", "read_all"]

#: Of series whose rows are taken for steps.
_STEP = Frequency(1, "step")


@dataclasses.dataclass(frozen=True)
class ReadSeries:
    """A series that can be computed with.

    Attributes
    ----------
    series : datasets.Series
        From the first to the last row with a target, without gaps.
    real : numpy.ndarray or None
        (T, C), whether a value was there when it was read; None where all were.
    dates : numpy.ndarray
        (T,), when each row is: the times as they were read, also where rows are taken for steps.
    ahead : datasets.Series or None
        The rows behind the last target, as they were read.
    steps : bool
        Whether each row is taken for a step, whatever its time.
    notes : tuple of str
        What was inferred and done.
    """

    series: Series
    real: np.ndarray | None
    dates: np.ndarray
    ahead: Series | None
    steps: bool
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What messages call it: its file, and its id where there are several."""
        return _name(self.series)


def read_all(
    file: str,
    config: ForecastConfig,
    name: str,
    given: Mapping[str, Any] | None = None,
    like: Frequency | None = None,
) -> list[ReadSeries]:
    """Read the series of a file.

    Parameters
    ----------
    file, config
        The file, and the options that say what its columns are.
    name
        The option that names the file, for messages.
    given
        Options of how a table is read that are told for this file only.
    like
        The step of the series that a run was trained on. With ``gaps`` "steps", series that keep
        another one are taken row by row where these were.

    Returns
    -------
    list of ReadSeries
        All of one frequency.

    Raises
    ------
    ConfigError
        When an option is missing or has no use, a column has no value, or the series do not keep
        one step.
    OSError, ValueError
        When the file cannot be read.
    """
    config = dataclasses.replace(config, **(given or {}))
    raw = _bundled(file, config) if file == BUNDLED else _table(name, file, config)
    found = [_prepared(one, config) for one in raw]
    if config.gaps == "steps":
        # Where the rows of one are steps, those of all are.
        wanted = like or (_STEP if any(one.steps for one in found) else None)
        if wanted == _STEP and any(one.series.frequency != _STEP for one in found):
            found = [_prepared(one, config, by_row=True) for one in raw]
    first = found[0].series
    for one in found[1:]:
        if one.series.frequency != first.frequency:
            words = [getattr(s.frequency, "words", "unknown") for s in (first, one.series)]
            raise ConfigError(
                f"{file}: expected series of one step in time, got {words[0]} for series "
                f"{first.id!r} and {words[1]} for {one.series.id!r}"
            )
    return found


def _bundled(file: str, config: ForecastConfig) -> list[Series]:
    from ...datasets import load_seattle_weather

    for option in (*READING, "known"):
        if getattr(config, option) is not None:
            raise ConfigError(f"{option}: expected with a file only, got {file}")
    target = names(config.target) or ("temp_max",)
    return [load_seattle_weather(target, names(config.exog) or None)]


def _table(name: str, file: str, config: ForecastConfig) -> list[Series]:
    from ...datasets import read_series, read_table

    table = read_table(path_of(file), **config.of_csv())
    for option in ("time", "target"):
        if getattr(config, option) is None:
            raise ConfigError(
                f"{option}: expected a column (--{option} COLUMN), got nothing; {file} has "
                f"{', '.join(table.names)}"
            )
    assert config.time is not None
    return read_series(
        table,
        time=config.time,
        target=names(config.target),
        exog=names(config.exog),
        known=names(config.known),
        id=config.id,
        dayfirst=config.dayfirst,
    )


def _prepared(raw: Series, config: ForecastConfig, by_row: bool = False) -> ReadSeries:
    from ...datasets import regular

    there = np.flatnonzero(~np.isnan(raw.target).all(axis=1))
    if not there.size:
        raise ConfigError(f"{_name(raw)}: expected values to forecast, got none at all")
    first, stop = int(there[0]), int(there[-1]) + 1
    cut, ahead = raw.part(first, stop), raw.part(stop) if stop < len(raw) else None
    try:
        series = regular(as_steps(cut) if by_row else cut, config.gaps)
    except ValueError as error:
        raise ConfigError(f"{error} (--gaps)") from None
    told = [f"{raw.source}: {note}" for note in raw.notes]
    for count, place in ((first, "first"), (len(raw) - stop, "last")):
        if count:
            rows = "row has" if count == 1 else f"{count} rows have"
            told.append(f"{_name(raw)}: the {place} {rows} no target")
    told += [f"{_name(raw)}: {note}" for note in series.notes[len(raw.notes) :]]
    real = values_there(cut, series)
    steps = by_row or series.time.dtype != cut.time.dtype or series.time[0] != cut.time[0]
    dates = cut.time if steps else series.time
    return ReadSeries(series, real, dates, ahead, steps, tuple(told))


def _name(series: Series) -> str:
    return f"{series.source}: series {series.id!r}" if series.id else series.source
