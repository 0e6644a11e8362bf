"""Tables from whatever holds one: CSV, Parquet, a frame."""

from __future__ import annotations

import os
from typing import Any

from ..checks import choice
from .csv_table import read_csv
from .files import first_bytes, regular_file
from .frames import from_frame, is_frame, read_parquet
from .table import Table

__all__ = ["read_table"]


def read_table(
    source: str | os.PathLike[str] | Any,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Table:
    """Read a table with its columns' names in the first row.

    Parameters
    ----------
    source
        A CSV file (any name), a Parquet file (``*.parquet`` or ``*.pq``), a pandas or polars
        frame, or a `Table`, which is returned as it is.
        Times with a zone stay on the local clock where its offset does not change or all are at
        one hour of the day, and are in UTC else.
    delimiter
        What stands between the cells of a CSV file. By default it is found: comma, semicolon, tab
        or vertical bar, whichever makes all rows as long as the header.
    decimal
        The decimal mark of a CSV file, ``"."`` or ``","``. By default each column shows it; a
        column that does not (only 1,234 and the like) takes that of the others.
    encoding
        Of a CSV file; by default UTF-8, or what its byte-order mark says.

    Returns
    -------
    Table
        Its `notes` tell what was inferred.

    Raises
    ------
    OSError
        The file is missing, a folder, or may not be read.
    ValueError
        Naming the file and the line: no ordinary file, not text, empty, no rows, rows of another
        length than the header, two columns of one name.
    TypeError
        `source` is nothing of these.
    ImportError
        A Parquet file, and pyarrow is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "sales.csv")
    >>> _ = file.write_text("date;sales\\n2021-01-01;10,5\\n2021-01-02;1.012,25\\n")
    >>> table = read_table(file)
    >>> table["sales"].tolist(), table.notes[:2]
    ([10.5, 1012.25], ("separated by ';'", "decimal commas in 'sales'"))
    """
    if isinstance(source, Table):
        return source
    if is_frame(source):
        return from_frame(source)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"source: expected a path or a frame, got {type(source).__name__}")
    if decimal is not None:
        choice("decimal", decimal, (".", ","))
    file = regular_file(source)
    if file.suffix.lower() in (".parquet", ".pq") or first_bytes(file, 4) == b"PAR1":
        return read_parquet(file)
    return read_csv(file, delimiter, decimal, encoding)
