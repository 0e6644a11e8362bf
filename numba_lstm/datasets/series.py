"""Time series: values in order of time, the columns to forecast and those that help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..checks import as_float
from .distinct import check_distinct
from .frequency import Frequency, find_frequency, gaps
from .time_writing import TimeForm

__all__ = ["Series", "shown"]


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """A time series of one or several columns; all parameters are attributes.

    Parameters
    ----------
    values : numpy.ndarray
        (T, C) float64, read-only; NaN where nothing is written. The columns to forecast come first.
    time : numpy.ndarray
        (T,) datetime64[us], or numbers; read-only; rising, no time twice.
    names : tuple of str
        The C columns.
    targets : int
        K: so many columns are to be forecast.
    known : tuple of str
        Columns whose values are known ahead, such as a holiday.
    frequency : Frequency, optional
        The step that the rows keep; by default it is found, and stays None if they keep none.
    id : str
        What the source calls this series; empty where it has one only.
    source : str
        Where it comes from, for messages.
    notes : tuple of str
        What was inferred.
    form : TimeForm
        How the source writes its times, and what it calls them.

    Raises
    ------
    TypeError, ValueError
        Naming the attribute: shapes that do not fit, infinity, times that do not rise, a column
        that is not known or has the name of another.

    Examples
    --------
    >>> days = np.array(["2021-01-01", "2021-01-02", "2021-01-03", "2021-01-05"], "datetime64[us]")
    >>> sales = Series([[1.0], [2.0], [3.0], [5.0]], days, ("sales",))
    >>> str(sales.frequency), [str(day)[:10] for day in sales.gaps], len(sales)
    ('D', ['2021-01-04'], 4)
    """

    values: np.ndarray
    time: np.ndarray
    names: tuple[str, ...]
    targets: int = 1
    known: tuple[str, ...] = ()
    frequency: Frequency | None = None
    id: str = ""
    source: str = "series"
    notes: tuple[str, ...] = field(default=())
    form: TimeForm = field(default=TimeForm("time"))

    def __post_init__(self) -> None:
        values = as_float("values", self.values, np.dtype(np.float64), ndim=2)
        if np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0]
            raise ValueError(
                f"values: expected finite numbers or NaN, got {values[row, column]} in row {row}, "
                f"column {column}"
            )
        time = np.asarray(self.time)
        time = time.astype("datetime64[us]") if time.dtype.kind == "M" else time
        if time.dtype.kind not in "Mif" or time.shape != (len(values),) or not len(values):
            raise ValueError(
                f"time: expected ({len(values)},) datetime64 or numbers, got {time.dtype} of shape "
                f"{time.shape}"
            )
        if len(time) > 1 and not np.all(time[1:] > time[:-1]):
            row = int(np.argmin(time[1:] > time[:-1])) + 1
            raise ValueError(f"time: expected rising times, got {time[row]} after {time[row - 1]}")
        if len(self.names) != values.shape[1]:
            raise ValueError(f"names: expected {values.shape[1]}, got {len(self.names)}")
        check_distinct("names", self.names)
        if not 1 <= self.targets <= values.shape[1]:
            raise ValueError(f"targets: expected 1 to {values.shape[1]}, got {self.targets}")
        for name in self.known:
            if name not in self.names[self.targets :]:
                raise ValueError(f"known: {name!r} is no column besides the targets")
        frequency = self.frequency or find_frequency(time)
        if self.frequency is not None:
            places = self.frequency.places(time)
            if np.any(np.abs(places - np.round(places)) > 0.02):
                raise ValueError(f"frequency: the rows do not keep a step of {frequency}")
        # Who is given a series to forecast must not change it: what is left out would change, too.
        values, time = _read_only(values), _read_only(time)
        made = {"values": values, "time": time, "names": tuple(self.names), "frequency": frequency}
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Return T."""
        return len(self.values)

    def __repr__(self) -> str:
        every = "irregular" if self.frequency is None else f"every {self.frequency.words}"
        name = f", id={self.id!r}" if self.id else ""
        return (
            f"Series({len(self)} rows from {shown(self.time[0])} to {shown(self.time[-1])}, "
            f"{every}, {len(self.gaps)} gaps, columns={list(self.names)}, "
            f"targets={self.targets}{name})"
        )

    @cached_property
    def gaps(self) -> tuple[Any, ...]:
        """The times that are missing on the grid of `frequency`; the first thousand of them."""
        return () if self.frequency is None else tuple(gaps(self.time, self.frequency))

    @property
    def target(self) -> np.ndarray:
        """(T, K), the columns to forecast."""
        return self.values[:, : self.targets]

    @property
    def future(self) -> np.ndarray:
        """(T, E), the columns that are known ahead."""
        return self.values[:, [self.names.index(name) for name in self.known]]

    def part(self, start: int | None = None, stop: int | None = None) -> Series:
        """Return the rows from `start` up to `stop`, by Python's rules for slices.

        Parameters
        ----------
        start, stop
            Rows.

        Raises
        ------
        ValueError
            No row is left.
        """
        rows = slice(start, stop)
        return replace(self, values=self.values[rows], time=self.time[rows])

    def split(self, fraction: float) -> tuple[Series, Series]:
        """Cut in two by time.

        Parameters
        ----------
        fraction
            The share of the last part, above 0 and below 1.

        Raises
        ------
        ValueError
            It is no such number, or leaves a part empty.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"fraction: expected a number above 0 and below 1, got {fraction}")
        cut = len(self) - round(fraction * len(self))
        if cut in (0, len(self)):
            raise ValueError(f"fraction: of {len(self)} rows {fraction} leaves a part empty")
        return self.part(None, cut), self.part(cut)

    def with_columns(self, values: np.ndarray, names: Sequence[str], known: bool = False) -> Series:
        """Return the series with columns added behind those that it has.

        Parameters
        ----------
        values
            (T, C').
        names
            Theirs.
        known
            Whether they are known ahead.
        """
        more = tuple(names)
        return replace(
            self,
            values=np.concatenate([self.values, values], axis=1),
            names=(*self.names, *more),
            known=(*self.known, *(more if known else ())),
        )


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def shown(time: Any) -> str:
    """A time for messages: a date where it is midnight."""
    return str(time).removesuffix(".000000").removesuffix("T00:00:00")
