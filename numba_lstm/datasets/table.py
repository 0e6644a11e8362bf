"""A table: named columns of equal length, each readable as numbers, as times or as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from .number_forms import Reading, read_numbers
from .time_forms import Times, read_times
from .time_writing import Clock

__all__ = ["Column", "Table", "is_missing"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column as it was read.

    Parameters
    ----------
    cells : numpy.ndarray
        (N,) text without the spaces around it, or what a Parquet file or a frame has: numbers or
        datetime64.
    reading : Reading
        The cells as numbers, or why they are none.
    clock : Clock, optional
        Of datetime64 that had a zone.
    """

    cells: np.ndarray
    reading: Reading
    clock: Clock | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, as a CSV or Parquet file or a frame has them; parameters are attributes.

    Parameters
    ----------
    source : str
        Where it comes from, for messages.
    columns : dict of str to Column
        In the file's order.
    lines : numpy.ndarray or None
        (N,) the line of the file on which each row begins; None where there are no lines.
    notes : tuple of str
        What was inferred: separator, decimal mark, what was left out.

    Examples
    --------
    >>> table = Table.from_columns({"day": ["2021-01-01", "2021-01-02"], "sales": ["1.5", "2"]})
    >>> table["sales"], table.times("day").values[1]
    (array([1.5, 2. ]), np.datetime64('2021-01-02T00:00:00.000000'))
    """

    source: str
    columns: dict[str, Column]
    lines: np.ndarray | None = None
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def from_columns(
        cls,
        columns: dict[str, Sequence[str] | np.ndarray],
        source: str = "table",
        lines: np.ndarray | None = None,
        notes: Sequence[str] = (),
        decimal: str | None = None,
        otherwise: str | None = ".",
        clocks: Mapping[str, Clock] = MappingProxyType({}),
    ) -> Table:
        """Make a table of columns, text among them, whose numbers are to be found.

        Parameters
        ----------
        columns
            Text, numbers or datetime64, equally long.
        source
            A name for messages.
        lines
            The line on which each row begins.
        notes
            What was inferred before.
        decimal
            The decimal mark of all columns; else each column shows its own.
        otherwise
            What 1.234 is where no column shows the decimal mark: with ``"."`` a number above one;
            with None it is refused. For 1,234 there is no such rule: it is refused.
        clocks
            Those of columns of datetime64 that had a zone.
        """
        read = {name: _read(cells, decimal) for name, cells in columns.items()}
        shown = {column.reading.decimal for column in read.values()} - {None}
        said = list(notes)
        for name, column in read.items():
            mark = otherwise if column.reading.unsure == "." else None
            if len(shown) == 1:
                mark = next(iter(shown))
            if column.reading.unsure and mark is not None:
                read[name] = Column(column.cells, read_numbers(column.cells.tolist(), None, mark))
                kind = "points" if mark == "." else "commas"
                said.append(f"column {name!r} does not show its decimal mark: taken for {kind}")
        for name, clock in clocks.items():
            read[name] = replace(read[name], clock=clock)
        said += _number_notes(read)
        return cls(source, read, lines, tuple(said))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())).cells)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column's numbers if it holds numbers, else its text."""
        column = self._column(name)
        return column.cells if column.reading.numbers is None else column.reading.numbers

    def require(self, names: Iterable[str]) -> None:
        """Check that columns are there.

        Parameters
        ----------
        names
            The columns.

        Raises
        ------
        ValueError
            Naming the first that is not, and telling which there are.
        """
        for name in names:
            self._column(name)

    def place(self, row: int) -> str:
        """Where the row of number `row` stands, for messages."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as (N,) float64, NaN where no number is written.

        Parameters
        ----------
        name
            The column.

        Raises
        ------
        ValueError
            Naming the file, the line and the column: there is no such column, or a cell of it is
            no number.
        """
        reading = self._column(name).reading
        if reading.numbers is None:
            raise ValueError(self.fault(reading.row, name, reading.fault))
        return reading.numbers

    def text(self, name: str) -> np.ndarray:
        """Return a column as (N,) text, as it is written: "007" stays "007".

        Parameters
        ----------
        name
            The column.

        Raises
        ------
        ValueError
            There is no such column, or a cell of it is empty.
        """
        cells = self._column(name).cells
        if not _is_text(cells):
            cells = np.array([_written(cell) for cell in cells.tolist()], dtype=object)
        for row, cell in enumerate(cells):
            if not cell:
                raise ValueError(self.fault(row, name, "nothing is written here"))
        return cells.astype(str)

    def times(self, name: str, dayfirst: bool | None = None) -> Times:
        """Return a column as points in time: datetime64, or numbers where numbers are written.

        Parameters
        ----------
        name
            The column.
        dayfirst
            Whether 01/02/2021 is in February, where the column does not show it.

        Raises
        ------
        ValueError
            Naming the file, the line and the column: a cell is no time, or not of the same form as
            those before, or one form may mean two.
        """
        column = self._column(name)
        try:
            return read_times(column.cells, name, self.place, dayfirst, column.clock)
        except ValueError as error:
            raise ValueError(f"{self.source}: {error}") from None

    def fault(self, row: int, name: str, what: str) -> str:
        """A message on the cell in `row` and column `name`, and `what` is the matter with it."""
        return f"{self.source}: {self.place(row)}, column {name!r}: {what}"

    def _column(self, name: str) -> Column:
        found = self.columns.get(name) or self.columns.get(str(name).strip())
        if found is None:
            names = ", ".join(repr(one) for one in self.columns)
            raise ValueError(f"{self.source}: no column {name!r}; there are {names}")
        return found


def is_missing(cell: object) -> bool:
    """Whether a cell is None, NaN, or what pandas writes for nothing."""
    # NaN differs from itself; so does NaT, and pandas's NA is no truth value.
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell


def _is_text(cells: np.ndarray) -> bool:
    return cells.dtype.kind in "OU"


def _written(cell: object) -> str:
    """A value that came as no text: a whole number without a point, nothing for no value."""
    if isinstance(cell, float):
        return "" if cell != cell else str(int(cell)) if cell.is_integer() else repr(cell)
    return "" if cell is None else str(cell)


def _read(cells: Sequence[str] | np.ndarray, decimal: str | None) -> Column:
    array = cells if isinstance(cells, np.ndarray) else np.array(cells, dtype=object)
    if array.dtype.kind in "OU":
        array = np.array([_written(cell).strip() for cell in array.tolist()], dtype=object)
        return Column(array, read_numbers(array.tolist(), decimal))
    if array.dtype.kind in "fiub":
        numbers = array.astype(np.float64)
        bad = np.flatnonzero(np.isinf(numbers))
        if bad.size:
            return Column(array, Reading(None, row=int(bad[0]), fault="infinity is no number here"))
        return Column(array, Reading(numbers))
    return Column(array, Reading(None, fault=f"expected numbers, got {array.dtype}"))


def _number_notes(columns: dict[str, Column]) -> Iterator[str]:
    """What was left out of numbers, by what it was; and columns that are nearly numbers."""
    commas, money, thousands = [], {}, []
    for name, column in columns.items():
        reading = column.reading
        if reading.decimal == ",":
            commas.append(name)
        if reading.money:
            money[name] = reading.money
        if reading.thousands:
            thousands.append(name)
        if reading.numbers is not None and _is_text(column.cells):
            rows = np.flatnonzero(np.isnan(reading.numbers))
            if 0 < rows.size < len(reading.numbers):
                yield f"column {name!r}: {rows.size} of {len(reading.numbers)} values are missing"
    if commas:
        yield f"decimal commas in {_listed(commas)}"
    if thousands:
        yield f"separators of thousands left out of {_listed(thousands)}"
    for name, sign in money.items():
        yield f"column {name!r}: {sign} left out"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
