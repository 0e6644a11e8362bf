"""The calendar as columns that are known ahead: the place in the day, the week and the year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .frequency import Frequency
from .series import Series

__all__ = ["PERIODS", "Wave", "calendar", "waves", "with_calendar"]

_HOUR = 3_600_000_000


@dataclass(frozen=True)
class _Cycle:
    name: str
    period: float  # in hours
    harmonics: int


_DAY = _Cycle("day", 24.0, 2)
_WEEK = _Cycle("week", 168.0, 3)
_YEAR = _Cycle("year", 24 * 365.2425, 2)
# From a Monday at midnight, so that a week begins at phase 0; the year's phase is by its days.
_MONDAY = "1970-01-05"
PERIODS = {cycle.name: cycle.period for cycle in (_DAY, _WEEK, _YEAR)}  # in hours


class Wave(NamedTuple):
    """A column of the calendar: ``function(2π · harmonic · hours / period)``.

    Attributes
    ----------
    name : str
        Such as "week sin 1".
    function : str
        ``"sin"`` or ``"cos"``.
    harmonic : int
        How often it goes round in a period.
    period : float
        Hours.
    since : str
        From when hours are counted: a date, or ``"year"``, the beginning of each time's own year.
    """

    name: str
    function: str
    harmonic: int
    period: float
    since: str


def waves(frequency: Frequency) -> tuple[Wave, ...]:
    """Give the columns of `calendar`.

    Parameters
    ----------
    frequency
        The step of the series.
    """
    return tuple(
        Wave(
            f"{cycle.name} {function} {harmonic}",
            function,
            harmonic,
            cycle.period,
            "year" if cycle is _YEAR else _MONDAY,
        )
        for cycle in _cycles(frequency)
        for harmonic in range(1, cycle.harmonics + 1)
        for function in ("sin", "cos")
    )


def calendar(time: np.ndarray, frequency: Frequency) -> tuple[tuple[str, ...], np.ndarray]:
    """Give sines and cosines of the cycles that a frequency is fine enough to show.

    Parameters
    ----------
    time
        (T,) datetime64, such as a series' ``time`` or what ``frequency.after`` gives.
    frequency
        Its step: with hours there are the day, the week and the year; with days the week and the
        year; with weeks and months the year.

    Returns
    -------
    names : tuple of str
        Such as "year sin 1".
    values : numpy.ndarray
        (T, len(names)) float64, from -1 to 1.

    Raises
    ------
    ValueError
        Times are plain numbers.
    """
    moments = np.asarray(time)
    if moments.dtype.kind != "M":
        raise ValueError("time: expected dates, got plain numbers, which have no calendar")
    moments = moments.astype("datetime64[us]")
    years = moments.astype("datetime64[Y]").astype("datetime64[us]")
    starts = {"year": years, _MONDAY: np.full(moments.shape, _MONDAY, "datetime64[us]")}
    hours = {since: (moments - start).astype(np.int64) / _HOUR for since, start in starts.items()}
    columns = waves(frequency)
    values = np.empty((len(moments), len(columns)))
    for n, (_, function, harmonic, period, since) in enumerate(columns):
        values[:, n] = getattr(np, function)(2 * np.pi * harmonic * (hours[since] / period))
    return tuple(one.name for one in columns), values


def with_calendar(series: Series) -> Series:
    """Add the calendar's columns, which are known ahead, to a series.

    Parameters
    ----------
    series
        With dates and a frequency.

    Returns
    -------
    Series

    Raises
    ------
    ValueError
        Its times are plain numbers, or keep no step.
    """
    if series.frequency is None:
        raise ValueError(f"{series.source}: expected rows that keep a step, got irregular ones")
    names, values = calendar(series.time, series.frequency)
    return series.with_columns(values, names, known=True)


def _cycles(frequency: Frequency) -> list[_Cycle]:
    unit, count = frequency.unit, frequency.count
    if frequency.monthly:
        return [_YEAR] if count < 12 else []
    if unit in ("D", "B"):
        return [*([_WEEK] if count < 7 else []), *([_YEAR] if count < 180 else [])]
    return [_DAY, _WEEK, _YEAR]
