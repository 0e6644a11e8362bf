"""Points in time as people write them: ISO 8601, days, weeks, months, offsets, plain numbers.

A column is read in one form, that of its first cell. Whole numbers stay numbers (the year 1900 is
not 1900 nanoseconds after 1970), unless all are written as 20210131 or 202101.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from .time_patterns import FORMS, ISO, LONG_NAMES, NUMBER, SHORT_NAMES
from .time_writing import Clock, TimeForm, clock_of, offset_text

__all__ = ["Times", "on_one_clock", "read_times"]

# Most columns are these: whole columns are then checked and read at once.
_ISO = r"(?!0000)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?$"
_NOT_ISO = re.compile(rf"^(?!{_ISO})", re.ASCII | re.MULTILINE)

Place = Callable[[int], str]


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes
    ----------
    values : numpy.ndarray
        (N,) datetime64[us], int64 or, where numbers are not whole, float64.
    form : TimeForm
        How they are written.
    notes : tuple of str
        What was inferred.
    """

    values: np.ndarray
    form: TimeForm
    notes: tuple[str, ...] = ()


def read_times(
    cells: np.ndarray,
    name: str,
    place: Place,
    dayfirst: bool | None = None,
    clock: Clock | None = None,
) -> Times:
    """Read a column of times.

    Parameters
    ----------
    cells
        (N,) stripped text, or datetime64 or numbers.
    name
        The column, for messages.
    place
        Where a row stands, for messages.
    dayfirst
        Whether 01/02/2021 is in February, where the column does not show it.
    clock
        Of datetime64 that had a zone.

    Raises
    ------
    ValueError
        A cell is no time or of another form than the first; a day or a month that does not exist;
        some cells with an offset and some without; a form that may mean two times.
    """
    if cells.dtype.kind == "M":
        bad = np.flatnonzero(np.isnat(cells))
        if bad.size:
            raise _fault(place, int(bad[0]), name, "nothing is written here")
        moments = cells.astype("datetime64[us]")
        return Times(moments, TimeForm.of_moments(name, moments, clock))
    if cells.dtype.kind in "fiu":
        bad = np.flatnonzero(~np.isfinite(cells))
        if bad.size:
            raise _fault(place, int(bad[0]), name, "nothing is written here")
        return Times(_whole(cells), TimeForm(name))
    text = [str(cell) for cell in cells.tolist()]
    if NUMBER.fullmatch(text[0]):
        return _numbers(text, name, place)
    plain = _plain(text)
    if plain is not None:
        return Times(plain, TimeForm(name, max(text, key=len), ISO))
    form = next((form for form in FORMS if FORMS[form].fullmatch(text[0])), None)
    if form is None:
        raise _fault(place, 0, name, _no_time(text[0]))
    found = []
    for row, cell in enumerate(text):
        match = FORMS[form].fullmatch(cell)
        if match is None:
            like = f"expected a time like {text[0]!r} of {place(0)}, got {cell!r}"
            raise _fault(place, row, name, like)
        found.append(match)
    notes = []
    if form == "day and month":
        dayfirst = _day_comes_first(found, name, place, dayfirst)
        notes.append(f"column {name!r}: {'day' if dayfirst else 'month'} first")
    local = [_at(match, row, name, place, bool(dayfirst)) for row, match in enumerate(found)]
    written = TimeForm.of_matches(name, form, found, bool(dayfirst))
    return _without_offsets(local, found, written, place, notes)


def _plain(text: Sequence[str]) -> np.ndarray | None:
    """Times of ISO 8601 without offsets; None where there are others, or days that do not exist."""
    joined = "\n".join(text)
    if joined.count("\n") >= len(text) or _NOT_ISO.search(joined):
        return None
    try:
        return np.array(text, dtype="datetime64[us]")
    except ValueError:
        return None


def _fault(place: Place, row: int, name: str, what: str) -> ValueError:
    return ValueError(f"{place(row)}, column {name!r}: {what}")


def _no_time(cell: str) -> str:
    if not cell:
        return "nothing is written here"
    shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
    if re.fullmatch(r"\d{1,2}[-/.]\d{1,2}[-/.]\d\d", cell):
        return f"{shown!r} has a year of two digits; write four"
    return f"{shown!r} is no time"


def _whole(numbers: np.ndarray) -> np.ndarray:
    if np.all(numbers == np.floor(numbers)) and np.all(np.abs(numbers) < 2**53):
        return numbers.astype(np.int64)
    return numbers.astype(np.float64)


def _numbers(text: Sequence[str], name: str, place: Place) -> Times:
    for row, cell in enumerate(text):
        if NUMBER.fullmatch(cell) is None:
            like = f"expected a number like {text[0]!r} of {place(0)}, got {cell!r}"
            raise _fault(place, row, name, like)
    for digits, pattern in ((8, r"(?:19|20)\d{6}"), (6, r"(?:19|20)\d\d(?:0[1-9]|1[0-2])")):
        if all(re.fullmatch(pattern, cell, re.ASCII) for cell in text):
            try:
                days = [datetime(int(c[:4]), int(c[4:6]), int(c[6:] or 1)) for c in text]
            except ValueError:
                continue
            kind = "days" if digits == 8 else "months"
            said = f"column {name!r}: {text[0]} and the like are read as {kind}"
            return Times(np.array(days, dtype="datetime64[us]"), TimeForm(name, text[0]), (said,))
    form = TimeForm.of_numbers(name, text)
    if all("." not in cell for cell in text):
        return Times(np.array([int(cell) for cell in text], dtype=np.int64), form)
    return Times(_whole(np.array([float(cell) for cell in text])), form)


def _day_comes_first(
    found: Sequence[re.Match[str]], name: str, place: Place, dayfirst: bool | None
) -> bool:
    """Whether the day stands before the month: a number above 12 shows it, and so do points."""
    day = next((row for row, match in enumerate(found) if int(match["a"]) > 12), None)
    month = next((row for row, match in enumerate(found) if int(match["b"]) > 12), None)
    if day is not None and month is not None:
        both = f"{found[day][0]!r} of {place(day)} has the day first and {found[month][0]!r} not"
        raise _fault(place, month, name, both)
    if dayfirst is not None:
        wrong = month if dayfirst else day
        if wrong is not None:
            what = f"{found[wrong][0]!r} cannot be read with dayfirst={dayfirst}"
            raise _fault(place, wrong, name, what)
        return dayfirst
    if day is not None or month is not None or found[0]["s"] == ".":
        return month is None
    what = f"{found[0][0]!r} may have the day or the month first; say dayfirst=True or False"
    raise _fault(place, 0, name, what)


def _at(match: re.Match[str], row: int, name: str, place: Place, dayfirst: bool) -> datetime:
    """The local time of a cell."""
    parts = {key: value for key, value in match.groupdict().items() if value is not None}
    day, month = int(parts.get("day", 1)), int(parts.get("month", 1))
    if "a" in parts:
        day, month = int(parts["a" if dayfirst else "b"]), int(parts["b" if dayfirst else "a"])
    if "quarter" in parts:
        month = 3 * int(parts["quarter"]) - 2
    if "name" in parts:
        word = parts["name"].capitalize()
        if word not in (*SHORT_NAMES, *LONG_NAMES, "Sept"):
            raise _fault(place, row, name, f"{match[0]!r}: {parts['name']!r} is no month")
        month = SHORT_NAMES.index(word[:3]) + 1
    hour, part = int(parts.get("hour", 0)), parts.get("part", "")
    if "half" in parts:
        if not 1 <= hour <= 12:
            raise _fault(place, row, name, f"{match[0]!r}: there is no such hour")
        hour = hour % 12 + 12 * (parts["half"] in "Pp")
    if part[6:].strip("0"):
        raise _fault(place, row, name, f"{match[0]!r} is finer than a microsecond")
    clock = hour, int(parts.get("minute", 0)), int(parts.get("second", 0)), int(f"{part:0<6}"[:6])
    year = int(parts["year"])
    try:
        if "week" in parts:
            first = date.fromisocalendar(year, int(parts["week"]), int(parts.get("weekday", 1)))
            year, month, day = first.year, first.month, first.day
        elif "end" in parts and date.fromisoformat(parts["end"]) < date(year, month, day):
            raise ValueError("the last day stands before the first")
        return datetime(year, month, day, *clock)
    except ValueError as error:
        raise _fault(place, row, name, f"{match[0]!r}: {error}") from None


def _without_offsets(
    moments: Sequence[datetime],
    found: Sequence[re.Match[str]],
    form: TimeForm,
    place: Place,
    notes: list[str],
) -> Times:
    """The times on one clock: UTC where offsets differ, unless all are at one hour of the day."""
    offsets = [match.groupdict().get("offset") for match in found]
    local = np.array(moments, dtype="datetime64[us]")
    kinds = list(dict.fromkeys(offsets))
    if kinds == [None]:
        return Times(local, form, tuple(notes))
    if None in kinds:
        row = next(
            row for row, offset in enumerate(offsets) if (offset is None) != (offsets[0] is None)
        )
        what = (
            f"{found[row][0]!r} and {found[0][0]!r} of {place(0)}: one has an offset, one has none"
        )
        raise _fault(place, row, form.column, what)
    minutes = {kind: _minutes(str(kind)) for kind in kinds}
    ahead = np.array([minutes[offset] for offset in offsets], dtype="timedelta64[m]")
    utc = local - ahead
    values, note = on_one_clock(form.column, local, utc, [str(kind) for kind in kinds])
    clock = clock_of(local, utc, values, str(offsets[int(np.argmax(utc))]))
    return Times(values, form.at(clock), (*notes, note))


def on_one_clock(
    name: str, local: np.ndarray, utc: np.ndarray, offsets: Sequence[str] | None = None
) -> tuple[np.ndarray, str]:
    """Choose the clock of times that have offsets.

    The local one is kept where the offset is the same all along, or all times are at one hour of
    the day: days stay days over a change of the clock. Else an hour may come twice: times are UTC.

    Parameters
    ----------
    name
        The column.
    local, utc
        (N,) datetime64[us], the same moments on both clocks; NaT where nothing is written.
    offsets
        Those that occur, as they are written.

    Returns
    -------
    times : numpy.ndarray
        (N,) datetime64[us].
    note : str
        What was done.
    """
    there = ~np.isnat(local)
    ahead = np.unique((local - utc)[there])
    if offsets is None:
        offsets = [offset_text(int(one.astype("timedelta64[m]").astype(int))) for one in ahead]
    said = f"column {name!r}: offsets {', '.join(offsets[:3])}"
    said += ", …" if len(offsets) > 3 else ""
    clock = (local - local.astype("datetime64[D]"))[there]
    if len(ahead) <= 1 or bool(np.all(clock == clock[0])):
        return local, f"{said}; the local clock is kept"
    return utc, f"{said}; times are in UTC"


def _minutes(offset: str) -> int:
    if offset in ("Z", "z", "UTC", "GMT"):
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return (-1 if offset[0] == "-" else 1) * (60 * int(digits[:2]) + int(digits[2:]))
