"""Series without gaps: refused, filled, or taken row for row, but only on request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..checks import choice
from .frequency import of_microseconds
from .series import Series, shown
from .time_writing import TimeForm

__all__ = ["as_steps", "missing_times", "regular", "values_there"]


def regular(series: Series, how: str = "error") -> Series:
    """Make sure that a series has a number in every column at every step.

    Parameters
    ----------
    series
        As it was read.
    how
        What becomes of missing rows and values: ``"error"`` refuses them; ``"fill"`` puts them on
        the straight line between their neighbours (at an end, on the level of the only one);
        ``"few"`` does so where at most a tenth of the rows is missing or incomplete, and refuses
        otherwise; ``"steps"`` takes each row for a step, whatever the
        time between them, and refuses missing values.

    Returns
    -------
    Series
        Without gaps and NaN; its notes say what was done.

    Raises
    ------
    ValueError
        Naming the source and the missing times: something is missing, or the rows keep no step,
        and `how` does not help.
    """
    choice("how", how, ("error", "few", "fill", "steps"))
    where = f"{series.source}: " + (f"series {series.id!r}: " if series.id else "")
    if how == "steps" and (series.gaps or series.frequency is None):
        series = as_steps(series)
    if series.frequency is None and len(series) > 2:
        steps = np.diff(series.time)
        raise ValueError(
            f"{where}the rows keep no step (from {_step(steps.min())} to {_step(steps.max())}); "
            "'steps' takes each row for a step"
        )
    if how == "few":
        empty = int(np.isnan(series.values).any(axis=1).sum()) + len(series.gaps)
        how = "fill" if 10 * empty <= len(series) + len(series.gaps) else "error"
    if series.gaps and how == "error":
        assert series.frequency is not None
        raise ValueError(
            f"{where}one row is expected every {series.frequency.words}; missing: "
            f"{missing_times(series)}; 'fill' puts values between their neighbours, 'steps' takes "
            "each row for a step"
        )
    filled = _on_grid(series) if series.gaps else series
    holes = np.isnan(filled.values)
    if holes.any() and how != "fill":
        row, column = (int(i) for i in np.argwhere(holes)[0])
        raise ValueError(
            f"{where}{int(holes.sum())} of {holes.size} values are missing, the first in column "
            f"{series.names[column]!r} at {shown(series.time[row])}; 'fill' puts values between "
            "their neighbours"
        )
    return _filled(filled, series, where) if holes.any() else filled


def values_there(before: Series, after: Series) -> np.ndarray | None:
    """Tell which values of a series without gaps stood in it before they were filled.

    Parameters
    ----------
    before, after
        A series, and what `regular` made of it.

    Returns
    -------
    numpy.ndarray or None
        (T, C) bool; None where all were there.
    """
    there = ~np.isnan(before.values)
    if len(before) != len(after):
        rows = np.searchsorted(after.time, before.time)
        found = np.zeros(after.values.shape, bool)
        found[rows] = there
        there = found
    return None if there.all() else there


def as_steps(series: Series) -> Series:
    """Take each row for a step, whatever the time between; a note says so."""
    note = "each row is taken for a step; times are left out"
    time = np.arange(len(series), dtype=np.int64)
    notes = (*series.notes, note)
    return replace(series, time=time, frequency=None, notes=notes, form=TimeForm("row"))


def _step(step: Any) -> str:
    if not isinstance(step, np.timedelta64):
        return str(step)
    return of_microseconds(int(step.astype("timedelta64[us]").astype(np.int64))).words


def missing_times(series: Series, limit: int = 6) -> str:
    """The gaps in words: single times and ranges, at most `limit` of them.

    Parameters
    ----------
    series
        With a frequency.
    limit
        So many are named.
    """
    assert series.frequency is not None
    times = np.array(series.gaps, dtype=series.time.dtype)
    places = np.round(series.frequency.places(np.concatenate([series.time[:1], times])))[1:]
    runs = np.split(np.arange(len(times)), np.flatnonzero(np.diff(places) > 1) + 1)
    named = [
        shown(times[run[0]]) + (f" to {shown(times[run[-1]])}" if len(run) > 1 else "")
        for run in runs[:limit]
    ]
    return ", ".join(named) + (f" and {len(runs) - limit} more" if len(runs) > limit else "")


def _on_grid(series: Series) -> Series:
    assert series.frequency is not None
    places = np.round(series.frequency.places(series.time)).astype(np.int64)
    count = int(places[-1]) + 1
    if count > 100 * len(series):
        raise ValueError(
            f"{series.source}: {count - len(series)} of {count} rows are missing: too many to fill"
        )
    values = np.full((count, series.values.shape[1]), np.nan)
    values[places] = series.values
    time = np.empty(count, dtype=series.time.dtype)
    time[1:] = series.frequency.after(series.time[0], count - 1)
    time[places] = series.time
    return replace(series, values=values, time=time)


def _filled(filled: Series, series: Series, where: str) -> Series:
    values = filled.values.copy()
    steps = np.arange(len(values))
    holes = np.isnan(values)
    for column, name in enumerate(series.names):
        there = ~holes[:, column]
        if not there.any():
            raise ValueError(f"{where}column {name!r} has no value at all")
        values[:, column] = np.interp(steps, steps[there], values[there, column])
    notes = []
    rows = len(filled) - len(series)
    if rows:
        notes.append(
            f"{rows} of {len(filled)} rows were missing and are filled on straight lines: "
            f"{missing_times(series)}"
        )
    single = int(np.isnan(series.values).sum())
    if single:
        notes.append(f"{single} of {series.values.size} values were missing and are filled, too")
    return replace(filled, values=values, notes=(*series.notes, *notes))
