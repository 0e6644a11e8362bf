"""Points in time as text, in the form in which a column has them.

What follows a series is written like what it follows, so that both can stand in one table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np

from .time_patterns import DIGITS, FORMS, ISO, LONG_NAMES, SHORT_NAMES

__all__ = ["Clock", "TimeForm", "clock_of", "offset_text"]

# So many cells at a column's end show how it is written.
_SHOWN = 1000
# Of these, some people write two digits always.
_ONE_OR_TWO_DIGITS = ("day", "month", "a", "b", "hour")


class Clock(NamedTuple):
    """The clock of a column whose times have offsets.

    Attributes
    ----------
    offset
        That of the latest row, as it is written.
    ahead
        Minutes to add to the times that were read, to have those of that clock.
    """

    offset: str
    ahead: int


@dataclass(frozen=True)
class TimeForm:
    """How a column of times is written.

    Parameters
    ----------
    column : str
        Its name.
    like : str
        A cell with all parts that occur; empty where the source has no text.
    pattern : str
        Which of `FORMS` that is; empty of digits alone.
    short : tuple of str
        The parts that are one digit where that is enough.
    dayfirst : bool
        Whether 01/02/2021 is in February.
    long : bool
        Whether months have their whole names.
    clock : Clock, optional
        Of times that have offsets. What comes has that of the latest row: a table does not tell
        when the clocks will change.
    decimals : int, optional
        Of numbers; as many as are needed where it is not given.

    Examples
    --------
    >>> months = np.array(["2021-01", "2021-02"], "datetime64[us]")
    >>> TimeForm("month", "2020M12", "year and month").written(months)
    ['2021M01', '2021M02']
    >>> TimeForm("month").written(months)
    ['2021-01-01', '2021-02-01']
    """

    column: str
    like: str = ""
    pattern: str = ""
    short: tuple[str, ...] = ()
    dayfirst: bool = False
    long: bool = False
    clock: Clock | None = None
    decimals: int | None = None

    @classmethod
    def of_matches(
        cls, column: str, pattern: str, found: Sequence[re.Match[str]], dayfirst: bool = False
    ) -> TimeForm:
        """Take it of cells that fit a pattern of `FORMS`."""
        parts = [match.groupdict() for match in found[-_SHOWN:]]
        whole = max(parts, key=_details)
        like = found[len(found) - len(parts) + parts.index(whole)][0]
        short = _one_digit(parts)
        names = {one["name"].capitalize() for one in parts} if "name" in whole else set()
        long = bool(names & {*LONG_NAMES} - {*SHORT_NAMES})  # May is both
        return cls(column, like, pattern, short, dayfirst, long)

    @classmethod
    def of_moments(cls, column: str, times: np.ndarray, clock: Clock | None = None) -> TimeForm:
        """Take it of datetime64, which are written as ISO 8601, as short as all of them can be."""
        like = max(_iso(times), key=len, default="")
        return cls(column, like, ISO, clock=clock)

    @classmethod
    def of_numbers(cls, column: str, cells: Sequence[str]) -> TimeForm:
        """Take it of numbers as text."""
        return cls(column, decimals=max(len(cell.partition(".")[2]) for cell in cells[-_SHOWN:]))

    def at(self, clock: Clock) -> TimeForm:
        """Return the same form with another clock."""
        return replace(self, clock=clock)

    def written(self, times: np.ndarray) -> list[str]:
        """Write times.

        Parameters
        ----------
        times
            (N,) datetime64 or numbers, as they were read.
        """
        if times.dtype.kind != "M":
            return [self._number(one) for one in times.tolist()]
        clock = self.clock or Clock("", 0)
        local = times.astype("datetime64[us]") + np.timedelta64(clock.ahead, "m")
        moments: list[Any] = local.tolist()
        if not self.like or not all(isinstance(one, datetime) for one in moments):
            return [one + clock.offset for one in _iso(local)]
        pattern = FORMS[self.pattern] if self.pattern else DIGITS
        match = pattern.fullmatch(self.like)
        assert match is not None
        words = [self._filled(match, one) for one in moments]
        has_offset = bool(match.groupdict().get("offset"))
        return words if has_offset else [word + clock.offset for word in words]

    def _number(self, number: float) -> str:
        if self.decimals:
            return f"{number:.{self.decimals}f}"
        return str(int(number)) if number == int(number) else f"{number:.15g}"

    def _filled(self, match: re.Match[str], moment: datetime) -> str:
        """The cell that `match` is of, with each part exchanged for that of another moment."""
        text, done = "", 0
        parts = self._parts(match.groupdict(), moment)
        spans = [(match.span(name), word) for name, word in parts.items()]
        for (start, stop), word in sorted(spans):
            text += match.string[done:start] + word
            done = stop
        return text + match.string[done:]

    def _parts(self, like: dict[str, str | None], moment: datetime) -> dict[str, str]:
        """The parts of a moment as they are written, those that `like` has."""
        hour = moment.hour if like.get("half") is None else (moment.hour - 1) % 12 + 1
        first, second = (moment.month, moment.day)[:: -1 if self.dayfirst else 1]
        numbers = {"month": moment.month, "day": moment.day, "a": first, "b": second, "hour": hour}
        week = moment.isocalendar()
        parts = {
            **{name: str(n) if name in self.short else f"{n:02}" for name, n in numbers.items()},
            # The first days of January may be in the last week of the year before.
            "year": f"{week.year if like.get('week') else moment.year:04}",
            "quarter": str((moment.month + 2) // 3),
            "week": f"{week.week:02}",
            "weekday": str(week.weekday),
            "minute": f"{moment.minute:02}",
            "second": f"{moment.second:02}",
            "offset": self.clock.offset if self.clock else "",
        }
        if (part := like.get("part")) is not None:
            parts["part"] = f"{moment.microsecond:06}000"[: len(part)]
        if (half := like.get("half")) is not None:
            word = "AP"[moment.hour >= 12]
            parts["half"] = word if half.isupper() else word.lower()
        if (name := like.get("name")) is not None:
            word = (LONG_NAMES if self.long else SHORT_NAMES)[moment.month - 1]
            parts["name"] = word.upper() if name.isupper() else word
            parts["name"] = word.lower() if name.islower() else parts["name"]
        if (end := like.get("end")) is not None:
            start = date(int(like["year"] or 0), int(like["month"] or 0), int(like["day"] or 0))
            parts["end"] = str(moment.date() + (date.fromisoformat(end) - start))
        return {name: word for name, word in parts.items() if like.get(name) is not None}


def _one_digit(cells: Sequence[dict[str, str | None]]) -> tuple[str, ...]:
    """The parts that are one digit where that is enough.

    Where all cells need two, as from October to December, a part is like those that show it.
    """
    found: dict[str, bool] = {}
    for name in _ONE_OR_TWO_DIGITS:
        words = [cell.get(name) or "" for cell in cells]
        if any(len(word) == 1 for word in words):
            found[name] = True
        elif any(word.startswith("0") for word in words):
            found[name] = False
    others = any(found.values())
    return tuple(name for name in _ONE_OR_TWO_DIGITS if found.get(name, others))


def _details(parts: dict[str, str | None]) -> tuple[int, int]:
    """How many parts a cell has, and how fine its fraction of a second is."""
    return sum(one is not None for one in parts.values()), len(parts.get("part") or "")


def clock_of(local: np.ndarray, utc: np.ndarray, chosen: np.ndarray, offset: str = "") -> Clock:
    """Give the clock of the latest of some moments.

    Parameters
    ----------
    local, utc
        (N,) datetime64[us], the same moments on both clocks; NaT where nothing is written.
    chosen
        One of the two, by which the moments are known.
    offset
        As it is written of the latest one; by default like +01:00.
    """
    there = np.flatnonzero(~np.isnat(utc))
    if not there.size:
        return Clock(offset, 0)
    row = there[np.argmax(utc[there])]
    minutes = int((local - utc)[row].astype("timedelta64[m]").astype(int))
    return Clock(offset or offset_text(minutes), minutes if chosen is utc else 0)


def offset_text(minutes: int) -> str:
    """Give an offset as it is written, such as +01:00."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _iso(times: np.ndarray) -> list[str]:
    """ISO 8601: dates where all are at midnight, and no more of the clock than all of them need."""
    times = times[~np.isnat(times)]
    for unit in ("D", "s"):
        shorter = times.astype(f"datetime64[{unit}]")
        if (shorter == times).all():
            return shorter.astype(str).tolist()
    return times.astype("datetime64[us]").astype(str).tolist()
