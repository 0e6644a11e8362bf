"""Tables of Parquet files and of frames, which have types already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .. import system
from .._damaged import DAMAGED
from .._reading import size_in_words
from .table import Table, is_missing
from .time_forms import on_one_clock
from .time_writing import Clock, clock_of

__all__ = ["from_frame", "is_frame", "read_parquet"]

#: A column that a table knows; or, of times with a zone, those on the local clock and in UTC.
Cells = np.ndarray | tuple[np.ndarray, np.ndarray]
Make = Callable[[Any], Cells]


def read_parquet(file: Path) -> Table:
    """Read a Parquet file; see `read_table`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError(
            f"{file}: a Parquet file needs pyarrow; pip install 'numba_lstm[tables]'"
        ) from None
    damaged = (pyarrow.ArrowException, *DAMAGED)
    try:
        stored = pyarrow.parquet.ParquetFile(file)
        claimed = _claimed(stored.metadata)
    except damaged as error:
        raise ValueError(f"{file}: expected a Parquet file: {error}") from None
    if claimed > (most := system.memory()):
        raise ValueError(
            f"{file}: expected a table that fits in memory, got one of {size_in_words(claimed)}, "
            f"of which there are {size_in_words(most)}"
        )

    def of_arrow(column: Any) -> Cells:
        try:
            return _of_arrow(column)
        except damaged as error:  # times beyond the calendar, or what only reading finds damaged
            raise ValueError(f"{file}: expected cells that can be read: {error}") from None

    try:
        table = stored.read()
    except damaged as error:
        raise ValueError(f"{file}: expected a Parquet file: {error}") from None
    return _table(zip(table.column_names, table.columns), of_arrow, str(file))


def _claimed(about: Any) -> int:
    """The bytes that a Parquet file says its table takes, unpacked and then as numbers."""
    packed = sum(about.row_group(k).total_byte_size for k in range(about.num_row_groups))
    return packed + 8 * about.num_rows * about.num_columns


def is_frame(value: Any) -> bool:
    """Whether this is a data frame, of pandas or of polars."""
    return type(value).__module__.split(".")[0] in ("pandas", "polars") and hasattr(
        value, "columns"
    )


def from_frame(frame: Any) -> Table:
    """Make a table of a pandas or polars frame; see `read_table`."""
    if type(frame).__module__.split(".")[0] != "pandas":
        return _table(zip(frame.columns, frame.get_columns()), _of_polars, "frame")
    columns = list(frame.items())
    index = frame.index.name
    if index is not None and str(index).strip() not in {str(name).strip() for name, _ in columns}:
        columns.insert(0, (index, frame.index.to_series()))
    return _table(columns, _of_pandas, "frame")


def _table(columns: Iterable[tuple[Any, Any]], make: Make, source: str) -> Table:
    found: dict[str, np.ndarray] = {}
    clocks: dict[str, Clock] = {}
    notes: list[str] = []
    for given, column in columns:
        name = str(given).strip()
        if name in found:
            raise ValueError(f"{source}: expected columns of different names, got {name!r} twice")
        cells = make(column)
        if isinstance(cells, tuple):
            both = cells
            cells, note = on_one_clock(name, *both)
            clocks[name] = clock_of(*both, cells)
            notes.append(note)
        found[name] = cells
    if not found or not len(next(iter(found.values()))):
        raise ValueError(f"{source}: expected rows, got none")
    return Table.from_columns(dict(found), source, notes=notes, clocks=clocks)


def _of_arrow(column: Any) -> Cells:
    import pyarrow
    import pyarrow.compute

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_decimal(kind):
        column = column.cast(pyarrow.float64())
    elif getattr(kind, "tz", None) is not None:
        # What is stored is UTC.
        return _moments(pyarrow.compute.local_timestamp(column)), _moments(column)
    elif pyarrow.types.is_date(kind) or pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("us")).to_numpy()
    return _known(column.to_numpy())


def _of_pandas(column: Any) -> Cells:
    kind = column.dtype
    if getattr(kind, "tz", None) is not None:
        return _moments(column.dt.tz_localize(None)), _moments(column.dt.tz_convert(None))
    if getattr(kind, "kind", "O") in "fiub" and column.hasnans:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return _known(column.to_numpy())


def _of_polars(column: Any) -> Cells:
    if column.dtype.is_decimal():
        column = column.cast(float)
    if getattr(column.dtype, "time_zone", None) is not None:
        utc = column.dt.convert_time_zone("UTC")
        local, utc = (one.dt.replace_time_zone(None) for one in (column, utc))
        return _moments(local), _moments(utc)
    return _known(column.to_numpy())


def _moments(column: Any) -> np.ndarray:
    return column.to_numpy().astype("datetime64[us]")


def _known(array: np.ndarray) -> np.ndarray:
    """Types that a table knows: numbers, datetime64, and text for everything else."""
    if array.dtype.kind in "fiubM":
        return array
    cells = ["" if is_missing(cell) else str(cell) for cell in array.tolist()]
    return np.array(cells, dtype=object)
