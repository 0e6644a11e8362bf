"""Time series from tables, sorted by time, one for each id."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

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
    times = table.times(time, dayfirst)
    values = np.stack([table.numbers(name) for name in names], axis=1)
    about: dict[str, Any] = {
        "names": tuple(names),
        "targets": len(targets),
        "known": tuple(known),
        "source": table.source,
    }
    ids = np.full(len(table), "") if id is None else table.text(id)
    found, first, member = np.unique(ids, return_index=True, return_inverse=True)
    order = np.lexsort((times.values, member))
    _differ(table, times.values, member, order, time, id)
    notes = [*table.notes, *times.notes]
    if _moved(order, member):
        notes.append("the rows were not in order of time: they are sorted")
    parts = []
    for i in np.argsort(first):
        rows = order[member[order] == i]
        parts.append(
            Series(values[rows], times.values[rows], id=str(found[i]), notes=tuple(notes), **about)
        )
    return parts


def _moved(order: np.ndarray, member: np.ndarray) -> bool:
    """Whether sorting changed the order within a series."""
    same = member[order[1:]] == member[order[:-1]]
    return bool(np.any(same & (order[1:] < order[:-1])))


def _differ(
    table: Table,
    times: np.ndarray,
    member: np.ndarray,
    order: np.ndarray,
    time: str,
    id: str | None,
) -> None:
    """No series has one time twice."""
    before, after = order[:-1], order[1:]
    same = (member[before] == member[after]) & (times[before] == times[after])
    if not same.any():
        return
    place = int(np.argmax(same))
    row, other = int(after[place]), int(before[place])
    what = f"{shown(times[row])} stands in {table.place(other)}, too"
    if id is None:
        what += (
            "; several series in one file need id= (an id column), and hours that a change of the "
            "clock repeats need offsets"
        )
    raise ValueError(table.fault(row, time, what))
