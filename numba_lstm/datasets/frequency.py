"""How often a series has a value: found from its times, with the gaps that break it.

A frequency is the step that more than half of the rows keep and of which all others are multiples.
Months and years are counted by the calendar, see `months`; days without weekends are business days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .months import MONTHLY, month_rules, months_after, months_since

__all__ = ["Frequency", "find_frequency", "gaps", "of_microseconds"]

_DAY = 86_400_000_000
_UNITS = {"D": _DAY, "h": _DAY // 24, "min": 60_000_000, "s": 1_000_000, "ms": 1000, "us": 1}
_WORDS = {
    "D": "day",
    "B": "business day",
    "h": "hour",
    "min": "minute",
    "s": "second",
    "ms": "millisecond",
    "us": "microsecond",
    "step": "step",
    **dict.fromkeys(MONTHLY, "month"),
}
# By unit, how many steps of one unit make the cycle that people look for first.
_SEASONS = {"D": 7, "B": 5, "h": 24, "min": 1440, **dict.fromkeys(MONTHLY, 12)}


@dataclass(frozen=True)
class Frequency:
    """A step in time.

    Parameters
    ----------
    count : int or float
        So many units make a step.
    unit : str
        As pandas calls it: ``"D"``, ``"B"`` (business days), ``"h"``, ``"min"``, ``"s"``, ``"ms"``,
        ``"us"``, ``"MS"`` (the same day of each month), ``"ME"`` (the last of each month),
        ``"BMS"`` and ``"BME"`` (the first and the last business day of each month); or ``"step"``,
        where times are plain numbers.
    day : int, optional
        For ``"MS"`` the day of the month, 29 to 31: a month that lacks it has its last day instead,
        and the month after it the day again. By default it is that of the time asked for.

    Examples
    --------
    >>> days = np.array(["2021-01-01", "2021-01-02", "2021-01-04"], "datetime64[us]")
    >>> daily = Frequency(1, "D")
    >>> str(daily), daily.words, daily.season, daily.places(days).tolist()
    ('D', '1 day', 7, [0.0, 1.0, 3.0])
    >>> daily.after(days[-1], 2).astype("datetime64[D]").tolist()
    [datetime.date(2021, 1, 5), datetime.date(2021, 1, 6)]
    """

    count: int | float
    unit: str
    day: int | None = None

    def __str__(self) -> str:
        return self.unit if self.count == 1 else f"{self.count:g}{self.unit}"

    @property
    def words(self) -> str:
        """Such as "1 day", "15 minutes" or, of seven days, "1 week"."""
        count, word = self.count, _WORDS[self.unit]
        if self.unit == "D" and count % 7 == 0:
            count, word = count // 7, "week"
        return f"{count:g} {word}{'' if count == 1 else 's'}"

    @property
    def monthly(self) -> bool:
        """Whether steps are months, which differ in length."""
        return self.unit in MONTHLY

    @property
    def season(self) -> int:
        """The steps of the nearest natural cycle (a week, a day, a year); 1 where there is none."""
        whole = _SEASONS.get(self.unit, 1)
        if self.unit == "D" and self.count == 7:
            return 52
        return int(whole // self.count) if whole % self.count == 0 else 1

    def places(self, times: np.ndarray) -> np.ndarray:
        """Count the steps from the first time to each.

        Parameters
        ----------
        times
            (T,) as a series has them.

        Returns
        -------
        numpy.ndarray
            (T,) float64; whole where a time is on the grid.
        """
        return _counted(times, self.unit) / self.count

    def after(self, time: Any, count: int) -> np.ndarray:
        """Give the `count` times that follow.

        Parameters
        ----------
        time
            The last known time, on the grid.
        count
            How many.
        """
        steps = np.arange(1, count + 1) * self.count
        if self.unit == "step":
            return time + steps
        moment = np.asarray(time).astype("datetime64[us]")[()]
        if self.monthly:
            return months_after(moment, steps.astype(np.int64), self.unit, self.day)
        if self.unit == "B":
            day = moment.astype("datetime64[D]")
            days = np.busday_offset(day, steps.astype(np.int64), roll="backward")
            return days.astype("datetime64[us]") + (moment - day.astype("datetime64[us]"))
        return moment + (steps * _UNITS[self.unit]).astype("timedelta64[us]")


def find_frequency(times: np.ndarray) -> Frequency | None:
    """Find the frequency of sorted times without repeats.

    Parameters
    ----------
    times
        (T,) datetime64[us], int64 or float64, rising.

    Returns
    -------
    Frequency or None
        None where there are fewer than three times or they keep no step.
    """
    if len(times) < 3:
        return None
    if times.dtype.kind != "M":
        count = _step(_counted(times, "step"), exact=times.dtype.kind == "i")
        return None if count is None else Frequency(count, "step")
    count = _step(_counted(times, "us"))
    for unit, day in month_rules(times):
        months = _step(months_since(times))
        # Business days that are equally far apart, as after four weeks, are taken for that.
        if months is not None and not (unit in ("BMS", "BME") and count is not None):
            return Frequency(int(months), unit, day)
    if count is None:
        return None
    if count == _DAY and _by_weekday(times):
        return Frequency(1, "B")
    return of_microseconds(int(count))


def of_microseconds(count: int) -> Frequency:
    """A step in the largest unit of which it is a whole number."""
    unit = next(unit for unit, size in _UNITS.items() if count % size == 0)
    return Frequency(count // _UNITS[unit], unit)


def _counted(times: np.ndarray, unit: str) -> np.ndarray:
    """(T,) float64, the units from the first time to each; exact for 285 years of microseconds."""
    if unit == "step":
        return (times - times[0]).astype(np.float64)
    if unit in MONTHLY:
        return months_since(times)
    if unit == "B":
        days = times.astype("datetime64[D]")
        return np.busday_count(days[0], days).astype(np.float64)
    return (times - times[0]).astype(np.int64) / _UNITS[unit]


def _step(counted: np.ndarray, exact: bool = True) -> float | None:
    """The step that more than half of the rows keep, if all others are multiples of it."""
    steps = np.diff(counted)
    if exact:
        values, counts = np.unique(steps, return_counts=True)
        step = float(values[np.argmax(counts)])
        close = 0.0
    else:
        # Decimal fractions such as 0.1 are not evenly spaced to the last bit.
        step = float(np.median(steps))
        close = 0.01
    if step <= 0 or np.mean(np.abs(steps / step - 1) <= close) <= 0.5:
        return None
    # Against the grid, not the row before, so that small errors do not add up.
    return step if np.all(np.abs(steps / step - np.round(steps / step)) <= close) else None


def _by_weekday(times: np.ndarray) -> bool:
    """Whether no time is at a weekend, though some weekends lie between the first and the last."""
    days = times.astype("datetime64[D]")
    first, after = days[0], days[-1] + np.timedelta64(1, "D")
    weekends = (after - first).astype(int) - np.busday_count(first, after)
    return bool(np.all(np.is_busday(days)) and weekends >= 2)


def gaps(times: np.ndarray, frequency: Frequency, limit: int = 1000) -> Sequence[np.generic]:
    """The times that are missing, at most `limit` of them."""
    places = frequency.places(times)
    found: list[np.generic] = []
    for row in np.flatnonzero(np.diff(places) > 1.5):
        missing = round(float(places[row + 1] - places[row])) - 1
        found += list(frequency.after(times[row], min(missing, limit - len(found))))
        if len(found) >= limit:
            break
    return found
