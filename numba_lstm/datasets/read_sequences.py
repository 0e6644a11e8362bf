"""Sequences from long tables (a row for each step), .npz and .ts files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .files import regular_file
from .groups import Groups, grouped
from .npz import read_npz
from .read_table import read_table
from .sequences import Sequences
from .table import Table
from .ts import read_ts

__all__ = ["read_sequences"]


def read_sequences(
    source: str | os.PathLike[str] | Table | Any,
    *,
    id: str | None = None,
    time: str | None = None,
    label: str | None = None,
    target: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    dayfirst: bool | None = None,
) -> Sequences:
    """Read sequences of unequal length with their classes or targets.

    Parameters
    ----------
    source
        A long table, which has a row for each step: a CSV or Parquet file, a frame, or what
        `read_table` gave. Or a ``.npz`` file with an array ``x``: (N, T, I) or (N, T), padded
        where an array ``lengths`` is beside it; or (sum of lengths, I), one sequence after the
        other. Its ``y`` of text or whole numbers are classes, of floats targets; ``classes``,
        ``names`` and ``ids`` may be there, too. Or a ``.ts`` file of sktime's.
    id
        The column that tells the sequences of a table apart; their order is that of its first
        rows.
    time
        The column by which the rows of a sequence are sorted. Without it they stay in the file's
        order, and must stand together.
    label
        The column of classes, the same in all rows of a sequence; or
    target
        the column, or columns, of numbers to be found.
    columns
        The columns of the sequences; by default all others, which must be numbers.
    dayfirst
        Whether the time 01/02/2021 is in February, where the file does not show it.

    Returns
    -------
    Sequences
        Its `notes` tell what was inferred; missing values are NaN.

    Raises
    ------
    OSError
        The file is missing, a folder, or may not be read.
    ValueError
        Naming the file, the line and the column, or the case: what `read_table` refuses; a word
        among numbers; a class that changes within a sequence, or is missing; a sequence that has
        one time twice, or begins twice; objects in a .npz file; a .ts file with another number of
        channels than it says, an empty value, or a class that its header does not have.
    """
    in_table = {"id": id, "time": time, "label": label, "target": target, "columns": columns}
    if isinstance(source, str | os.PathLike):
        suffix = os.path.splitext(os.fspath(source))[1].lower()
        if suffix in (".ts", ".npz"):
            for name, value in in_table.items():
                if value is not None:
                    raise ValueError(f"{name}: expected for a table only; {suffix} has no columns")
            file = regular_file(source)
            return read_ts(file) if suffix == ".ts" else read_npz(file)
    table = read_table(source)
    if id is None:
        names = ", ".join(repr(name) for name in table.names)
        raise ValueError(
            f"id: {table.source}: expected the column that tells the sequences apart; "
            f"there are {names}"
        )
    if label is not None and target is not None:
        raise ValueError("target: expected a label or a target, got both")
    return _from_table(table, id, time, label, target, columns, dayfirst)


def _from_table(
    table: Table,
    id: str,
    time: str | None,
    label: str | None,
    target: str | Sequence[str] | None,
    columns: Sequence[str] | None,
    dayfirst: bool | None,
) -> Sequences:
    targets = [target] if isinstance(target, str) else list(target or [])
    named = [name for name in (id, time, label, *targets) if name is not None]
    # Before numbers are read: with a column of another name, that one would be among the features.
    table.require([*named, *(columns or ())])
    special = {str(name).strip() for name in named}
    names = [name for name in table.names if name not in special] if columns is None else columns
    if not names:
        raise ValueError(f"{table.source}: expected a column besides {', '.join(sorted(special))}")
    notes = list(table.notes)
    ids = table.text(id)
    values = np.stack([table.numbers(name) for name in names], axis=1)
    if time is None:
        _stand_together(table, ids, id)
        notes.append("no time column: the steps are in the file's order")
        groups = grouped(ids, None)
    else:
        times = table.times(time, dayfirst)
        notes += times.notes
        groups = grouped(ids, times.values)
        if groups.repeated is not None:
            before, row = groups.repeated
            what = f"{str(ids[row])!r} has the time of {table.place(before)} again"
            raise ValueError(table.fault(row, time, what))
    y: np.ndarray | None = None
    if label is not None:
        y = _constant(table, table.text(label), label, groups)
    elif targets:
        each = [_constant(table, table.numbers(one), one, groups) for one in targets]
        y = each[0] if isinstance(target, str) else np.stack(each, axis=1)
    return Sequences(
        [values[rows] for rows in groups.rows],
        y,
        names=list(names),
        ids=groups.ids,
        source=table.source,
        notes=notes,
    )


def _stand_together(table: Table, ids: np.ndarray, id: str) -> None:
    """Without a time, a sequence that goes on after another one may be two of one name."""
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    seen: set[str] = set()
    for row in starts:
        name = str(ids[row])
        if name in seen:
            what = f"{name!r} begins again after another sequence; say time= to sort the rows"
            raise ValueError(table.fault(int(row), id, what))
        seen.add(name)


def _constant(table: Table, values: np.ndarray, name: str, groups: Groups) -> np.ndarray:
    """Each sequence's value of a column that must not change within it."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(table.fault(int(np.argmax(np.isnan(values))), name, "a target is missing"))
    first = np.array([rows[0] for rows in groups.rows])
    wrong = np.flatnonzero(values != values[first][groups.member])
    if wrong.size:
        row = int(wrong[0])
        group = groups.member[row]
        other = int(first[group])
        what = f"{groups.ids[group]!r} has {str(values[row])!r} here and {str(values[other])!r}"
        raise ValueError(table.fault(row, name, f"{what} in {table.place(other)}"))
    return values[first]
