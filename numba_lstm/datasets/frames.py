"""Tables of Parquet files and of frames, which have types already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .table import Table

__all__ = ["from_frame", "is_frame", "read_parquet"]


def read_parquet(file: Path) -> Table:
    """Read a Parquet file; see `read_table`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError(
            f"{file}: a Parquet file needs pyarrow; pip install 'numba_lstm[tables]'"
        ) from None
    try:
        table = pyarrow.parquet.ParquetFile(file).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{file}: expected a Parquet file: {error}") from None
    return _checked({name: _of_arrow(table.column(name)) for name in table.column_names}, str(file))


def is_frame(value: Any) -> bool:
    """Whether this is a data frame, of pandas or of polars."""
    return type(value).__module__.split(".")[0] in ("pandas", "polars") and hasattr(
        value, "columns"
    )


def from_frame(frame: Any) -> Table:
    """Make a table of a pandas or polars frame; see `read_table`."""
    kind = type(frame).__module__.split(".")[0]
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise ValueError(f"frame: expected columns of different names, got {names}")
    make = _of_pandas if kind == "pandas" else _of_polars
    columns = {str(name): make(frame[name]) for name in frame.columns}
    if kind == "pandas" and frame.index.name is not None and str(frame.index.name) not in columns:
        columns = {str(frame.index.name): _of_pandas(frame.index.to_series()), **columns}
    return _checked(columns, "frame")


def _checked(columns: dict[str, np.ndarray], source: str) -> Table:
    stripped = {name.strip(): cells for name, cells in columns.items()}
    if not stripped or not len(next(iter(stripped.values()))):
        raise ValueError(f"{source}: expected rows, got none")
    return Table.from_columns(dict(stripped), source)


def _of_arrow(column: Any) -> np.ndarray:
    import pyarrow

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_decimal(kind):
        column = column.cast(pyarrow.float64())
    elif pyarrow.types.is_date(kind) or pyarrow.types.is_timestamp(kind):
        # A zone is left out: what is stored is UTC.
        return column.cast(pyarrow.timestamp("us", tz=getattr(kind, "tz", None))).to_numpy()
    return _known(column.to_numpy())


def _of_pandas(column: Any) -> np.ndarray:
    kind = column.dtype
    if getattr(kind, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    elif getattr(kind, "kind", "O") in "fiub" and column.hasnans:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return _known(column.to_numpy())


def _of_polars(column: Any) -> np.ndarray:
    if column.dtype.is_decimal():
        column = column.cast(float)
    return _known(column.to_numpy())


def _known(array: np.ndarray) -> np.ndarray:
    """Types that a table knows: numbers, datetime64, and text for everything else."""
    if array.dtype.kind in "fiubM":
        return array
    cells = ["" if _is_null(cell) else str(cell) for cell in array.tolist()]
    return np.array(cells, dtype=object)


def _is_null(cell: Any) -> bool:
    # NaN, and pandas's NaT, differ from themselves; its NA is no truth value.
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell
