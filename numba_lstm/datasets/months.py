"""Times that come by the month: which day of each month they are on, and those that follow.

Five rules are known: the same day of each month (``"MS"``), where a month that lacks the 29th, 30th
or 31st has its last day instead; so many days before the month's end (``"ME"``); the first and the
last of its days that are no weekend (``"BMS"``, ``"BME"``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["MONTHLY", "month_rules", "months_after", "months_since"]

MONTHLY = ("MS", "ME", "BMS", "BME")

# All months have the days up to this one.
_IN_EVERY_MONTH = 28


def months_since(times: np.ndarray) -> np.ndarray:
    """Count the months from the first time to each, whatever their days.

    Parameters
    ----------
    times
        (T,) datetime64.

    Returns
    -------
    numpy.ndarray
        (T,) float64.
    """
    months = times.astype("datetime64[M]")
    return (months - months[0]).astype(np.float64)


def month_rules(times: np.ndarray) -> list[tuple[str, int | None]]:
    """Find the rules that times keep of which each is in another month, at one hour of its day.

    Parameters
    ----------
    times
        (T,) datetime64[us], rising.

    Returns
    -------
    list of (unit, day)
        The most natural first. The day is that of ``"MS"`` where some months lack it. Days that are
        the last of their month are taken for that, although they may all be the 30th.
    """
    months, days = times.astype("datetime64[M]"), times.astype("datetime64[D]")
    clocks = times - days.astype("datetime64[us]")
    if np.any(clocks != clocks[0]) or np.any(months[1:] == months[:-1]):
        return []
    numbers = (days - months.astype("datetime64[D]")).astype(int) + 1
    left = _lengths(months) - numbers
    day = int(numbers.max())
    same = np.all(numbers == np.minimum(day, _lengths(months)))
    rules: list[tuple[bool, str, int | None]] = [
        (bool(np.all(left == 0)), "ME", None),
        (bool(same), "MS", day if day > _IN_EVERY_MONTH else None),
        (bool(np.all(left == left[0])), "ME", None),
        (bool(np.all(days == _first_business_days(months))), "BMS", None),
        (bool(np.all(days == _last_business_days(months))), "BME", None),
    ]
    return [(unit, day) for kept, unit, day in rules if kept]


def months_after(moment: Any, steps: np.ndarray, unit: str, day: int | None = None) -> np.ndarray:
    """Give the times so many months after one.

    Parameters
    ----------
    moment
        datetime64[us].
    steps
        (N,) int64, months.
    unit
        One of `MONTHLY`.
    day
        The day of the month for ``"MS"``; by default that of `moment`.

    Returns
    -------
    numpy.ndarray
        (N,) datetime64[us], at the hour of `moment`.
    """
    today = moment.astype("datetime64[D]")
    month = moment.astype("datetime64[M]")
    months = month + np.asarray(steps).astype("timedelta64[M]")
    if unit == "BMS":
        days = _first_business_days(months)
    elif unit == "BME":
        days = _last_business_days(months)
    elif unit == "ME":
        days = _next(months) + (today - _next(month))
    else:
        number = (today - month.astype("datetime64[D]")).astype(int) + 1 if day is None else day
        later = np.minimum(number, _lengths(months)) - 1
        days = months.astype("datetime64[D]") + later.astype("timedelta64[D]")
    return days.astype("datetime64[us]") + (moment - today.astype("datetime64[us]"))


def _next(months: np.ndarray) -> np.ndarray:
    """The first day after each month."""
    return (months + np.timedelta64(1, "M")).astype("datetime64[D]")


def _lengths(months: np.ndarray) -> np.ndarray:
    """The days of each month."""
    return (_next(months) - months.astype("datetime64[D]")).astype(int)


def _first_business_days(months: np.ndarray) -> np.ndarray:
    return np.busday_offset(months.astype("datetime64[D]"), 0, roll="forward")


def _last_business_days(months: np.ndarray) -> np.ndarray:
    return np.busday_offset(_next(months), -1, roll="forward")
