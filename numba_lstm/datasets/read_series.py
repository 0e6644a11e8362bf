"""Time series from tables, sorted by time, one for each id."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .groups import grouped
from .read_table import read_table
from .series import Series, shown
from .table import Table

__all__ = ["read_series"]


def read_series(
    source: str | os.PathLike[str] | Table | Any,
    *,
    time: str,
    target: str | Sequence[str],
    exog: Sequence[str] = (),
    known: Sequence[str] = (),
    id: str | None = None,
    dayfirst: bool | None = None,
) -> list[Series]:
    """Read the time series of a table.

    Parameters
    ----------
    source
        A CSV or Parquet file, a frame, or what `read_table` gave.
    time
        The column of times: dates with or without a clock and an offset, months, quarters, or
        numbers, which stay numbers.
    target
        The column or columns to forecast.
    exog
        Columns that help, and of which only the past is known when a forecast is made.
    known
        Columns that help and are known ahead.
    id
        The column that tells several series of one table apart.
    dayfirst
        Whether 01/02/2021 is in February, where the column does not show it.

    Returns
    -------
    list of Series
        One, or one for each id in the order of their first rows; sorted by time. Gaps and missing
        values stay as they are: `regular` deals with them.

    Raises
    ------
    OSError
        The file is missing, a folder, or may not be read.
    ValueError
        Naming the file, the line and the column: what `read_table` refuses; a cell that is no
        number or no time; one time twice, which an `id` may explain; a column named twice.
    """
    table = read_table(source)
    targets = [target] if isinstance(target, str) else list(target)
    names = [*targets, *exog, *known]
    wanted = [time, *names, *([] if id is None else [id])]
    twice = next((name for name in wanted if wanted.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{table.source}: column {twice!r} is asked for twice")
    if not targets:
        raise ValueError("target: expected at least one column, got none")
    table.require(wanted)
    times = table.times(time, dayfirst)
    values = np.stack([table.numbers(name) for name in names], axis=1)
    about: dict[str, Any] = {
        "names": tuple(names),
        "targets": len(targets),
        "known": tuple(known),
        "source": table.source,
        "form": times.form,
    }
    ids = np.full(len(table), "") if id is None else table.text(id)
    groups = grouped(ids, times.values)
    if groups.repeated is not None:
        raise ValueError(_twice(table, groups.repeated, times.values, time, id))
    notes = [*table.notes, *times.notes]
    if groups.moved:
        notes.append("the rows were not in order of time: they are sorted")
    return [
        Series(values[rows], times.values[rows], id=name, notes=tuple(notes), **about)
        for name, rows in zip(groups.ids, groups.rows)
    ]


def _twice(
    table: Table, rows: tuple[int, int], times: np.ndarray, time: str, id: str | None
) -> str:
    what = f"{shown(times[rows[1]])} stands in {table.place(rows[0])}, too"
    if id is None:
        what += (
            "; several series in one file need id= (an id column), and hours that a change of the "
            "clock repeats need offsets"
        )
    return table.fault(rows[1], time, what)
