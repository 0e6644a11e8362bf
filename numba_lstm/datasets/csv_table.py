"""CSV files: the separator found, every row as long as the header, every fault with its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from .files import text_lines
from .table import Table

__all__ = ["read_csv"]

#: Separators that are looked for.
DELIMITERS = (",", ";", "\t", "|")
_WORDS = {"\t": "tabs"}
_HEAD = 200  # lines by which the separator is found


def read_csv(
    file: Path,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Table:
    """Read a CSV file; see `read_table`."""
    lines = text_lines(file, encoding)
    head = list(islice(lines, _HEAD))
    if not any(line.strip() for line in head):
        raise ValueError(f"{file}: expected a table, got an empty file")
    notes, number = [], 1
    said = re.fullmatch(r"sep=(.)\s*", head[0])
    if said:  # Excel's way to say it
        delimiter, number, head = delimiter or said[1], 2, head[1:]
    comments = next((i for i, line in enumerate(head) if line.lstrip()[:1] not in ("", "#")), 0)
    if any(line.strip() for line in head[:comments]):
        notes.append(f"comments before line {number + comments} are left out")
        number, head = number + comments, head[comments:]
    if delimiter is None:
        delimiter = find_delimiter(head, str(file), whole=len(head) < _HEAD)
    if delimiter != ",":
        notes.append(f"separated by {_WORDS.get(delimiter, repr(delimiter))}")
    records = _records(chain(head, lines), delimiter, str(file), number)
    header_line, header = next(records, (0, []))
    if not header:
        raise ValueError(f"{file}: expected a table, got empty lines")
    names, dropped = _names(header, file, header_line)
    rows, starts = [], []
    for start, record in records:
        if len(record) != len(header):
            raise ValueError(_ragged(file, start, record, len(header), header_line, delimiter))
        rows.append(record)
        starts.append(start)
    if not rows:
        raise ValueError(f"{file}: expected rows under the names of line {header_line}, got none")
    columns = dict(zip(names, zip(*rows)))
    for name in dropped:
        if any(columns[name]):
            notes.append(f"the column without a name is called {name!r}")
        else:
            del columns[name]
    # In a file with semicolons both marks are usual, so 1.234 alone does not tell.
    otherwise = None if delimiter == ";" else "."
    return Table.from_columns(
        {name: list(cells) for name, cells in columns.items()},
        str(file),
        np.array(starts),
        notes,
        decimal,
        otherwise,
    )


def find_delimiter(head: Sequence[str], name: str, whole: bool) -> str:
    """Find the separator of the first lines: the one by which all rows are as long as the header.

    Parameters
    ----------
    head
        Lines.
    name
        The file, for messages.
    whole
        Whether there are no more lines.
    """
    counts = {}
    for delimiter in DELIMITERS:
        try:
            records = list(csv.reader(head, delimiter=delimiter, skipinitialspace=True))
        except csv.Error:
            continue
        lengths = [len(record) for record in records if any(cell.strip() for cell in record)]
        if lengths:
            counts[delimiter] = lengths if whole else lengths[:-1] or lengths
    several = {one: lengths for one, lengths in counts.items() if lengths[0] > 1}
    even = [one for one, lengths in several.items() if len(set(lengths)) == 1 and len(lengths) > 1]
    if len(even) == 1 or (not even and len(several) == 1):
        return (even or list(several))[0]
    if not several:
        return ","
    unclear = ", ".join(repr(one) for one in even or several)
    raise ValueError(f"{name}: the separator may be any of {unclear}; say delimiter=")


def _records(
    lines: Iterable[str], delimiter: str, name: str, number: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield (the line where it begins, stripped cells) of each record that is not empty."""
    quotes, ended = 0, False

    def counted() -> Iterator[str]:
        nonlocal quotes, ended
        for line in lines:
            quotes += line.count('"')
            yield line
        ended = True

    try:
        reader = csv.reader(counted(), delimiter=delimiter, skipinitialspace=True)
    except (TypeError, ValueError):
        raise ValueError(
            f"delimiter: expected one character such as ';', got {delimiter!r}"
        ) from None
    while True:
        start = number + reader.line_num
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"{name}: line {start}: {error}") from None
        if record is None:
            return
        # Only an open quotation asks for a line behind the last one, or goes over several.
        if ended or (quotes % 2 and number + reader.line_num - start > 1):
            raise ValueError(f"{name}: line {start}: a quotation mark is opened and never closed")
        quotes = 0
        record = [cell.strip() for cell in record]
        if any(record):
            yield start, record


def _names(header: Sequence[str], file: Path, line: int) -> tuple[list[str], list[str]]:
    """The columns' names, and those that were made up."""
    if all(re.fullmatch(r"[-+]?[.,/: ]*\d[\d.,/: -]*", name) for name in header if name):
        shown = ", ".join(header)[:60]
        raise ValueError(f"{file}: line {line}: expected the columns' names, got {shown}")
    names, made = [], []
    for place, name in enumerate(header, 1):
        if not name:
            name = f"column {place}"
            made.append(name)
        if name in names:
            raise ValueError(f"{file}: line {line}: two columns are called {name!r}")
        names.append(name)
    return names, made


def _ragged(
    file: Path, line: int, record: Sequence[str], count: int, header: int, delimiter: str
) -> str:
    words = f"{file}: line {line}: expected {count} cells as in line {header}, got {len(record)}"
    if len(record) > count and not any(record[count:]):
        return f"{words}; {delimiter!r} stands at the end of the line"
    if len(record) > count and delimiter == ",":
        return f"{words}; a number with a comma needs quotation marks"
    return words
