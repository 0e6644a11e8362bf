"""Times by the month are found, whatever their day, and go on by the same rule."""

from __future__ import annotations

import calendar
import itertools
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from numba_lstm.datasets import Series, find_frequency, regular

# NumPy 2.5 warns of a date plus a bare number, and will refuse it.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")

AHEAD = 14


def length(year, month):
    return calendar.monthrange(year, month)[1]


def months(start, step, count):
    """(year, month) of every `step`-th month from `start`."""
    year, month = start
    numbers = [12 * year + month - 1 + step * k for k in range(count)]
    return [(number // 12, number % 12 + 1) for number in numbers]


def on_day(day):
    return lambda year, month: date(year, month, min(day, length(year, month)))


def last_but(days):
    return lambda year, month: date(year, month, length(year, month) - days)


def business(year, month, numbers):
    return next(date(year, month, day) for day in numbers if date(year, month, day).weekday() < 5)


def first_business(year, month):
    return business(year, month, range(1, 8))


def last_business(year, month):
    return business(year, month, range(length(year, month), 20, -1))


def stamps(dates, clock=timedelta()):
    moments = [datetime.combine(one, datetime.min.time()) + clock for one in dates]
    return np.array(moments, "datetime64[us]")


RULES = {
    **{f"day {day}": (on_day(day), "MS") for day in (1, 15, 27, 28, 29, 30)},
    "last day": (last_but(0), "ME"),
    "last day but one": (last_but(1), "ME"),
    "last day but four": (last_but(4), "ME"),
    "first business day": (first_business, "BMS"),
    "last business day": (last_business, "BME"),
}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_found_from_any_month_and_goes_on(rule):
    for step, first in itertools.product((1, 2, 3, 6, 12), range(1, 13)):
        is_found_and_goes_on(rule, step, first)


def is_found_and_goes_on(rule, step, first):
    of_month, unit = RULES[rule]
    known, count = months((2019, first), step, 18 + AHEAD), 18
    times = stamps(of_month(*one) for one in known)
    ends = [one.day == length(one.year, one.month) for one in map(of_month, *zip(*known[:count]))]
    found = find_frequency(times[:count])
    if unit == "MS" and all(ends):  # as the last day, which nobody could tell apart
        assert (found.count, found.unit) == (step, "ME")
        return
    lengths = {length(*one) for one in known[:count]}
    alike = rule.startswith("last day but") and len(lengths) == 1  # then it is one day, too
    assert (found.count, found.unit) == (step, "MS" if alike else unit)
    np.testing.assert_array_equal(found.after(times[count - 1], AHEAD), times[count:])
    for at in range(3):  # from a short month as from a long one
        np.testing.assert_array_equal(found.after(times[at], count - at), times[at + 1 : count + 1])
    np.testing.assert_array_equal(found.places(times), np.arange(len(times)))


def test_a_day_in_months_that_all_end_with_it_is_their_end():
    halves = stamps([date(2020, 6, 30), date(2020, 12, 31), date(2021, 6, 30)])
    assert str(find_frequency(halves)) == "6ME"
    bimonthly = stamps([date(2021, 2, 28), date(2021, 4, 30), date(2021, 6, 30)])  # or the 30th
    found = find_frequency(bimonthly)
    assert str(found) == "2ME"
    assert found.after(bimonthly[-1], 1)[0] == np.datetime64("2021-08-31")


@pytest.mark.parametrize("clock", [timedelta(hours=17, minutes=30), timedelta(hours=23)])
@pytest.mark.parametrize("rule", RULES)
def test_the_hour_is_kept(rule, clock):
    times = stamps((RULES[rule][0](*one) for one in months((2020, 1), 1, 30)), clock)
    found = find_frequency(times[:20])
    assert found.unit == RULES[rule][1]
    np.testing.assert_array_equal(found.after(times[19], 10), times[20:])


@pytest.mark.parametrize("rule", RULES)
def test_months_that_are_missing_are_named_and_filled_on_their_day(rule):
    times = stamps(RULES[rule][0](*one) for one in months((2020, 11), 1, 30))
    kept = np.delete(times, [3, 4, 15])
    series = Series(np.arange(27.0)[:, None], kept, ("v",))
    assert series.gaps == (times[3], times[4], times[15])
    np.testing.assert_array_equal(regular(series, "fill").time, times)


def test_years_from_a_29th_of_february():
    leap = stamps(date(year, 2, 29) for year in range(2000, 2024, 4))
    assert str(find_frequency(leap)) == "48ME"
    assert find_frequency(leap).after(leap[-1], 1)[0] == np.datetime64("2024-02-29")
    yearly = stamps(on_day(29)(year, 2) for year in range(2016, 2030))
    found = find_frequency(yearly[:8])
    assert str(found) == "12ME" and found.words == "12 months" and found.season == 1
    np.testing.assert_array_equal(found.after(yearly[7], 6), yearly[8:])


def test_a_part_of_a_series_keeps_the_day():
    times = stamps(on_day(30)(*one) for one in months((2021, 1), 1, 24))
    series = Series(np.zeros((24, 1)), times, ("v",))
    early, late = series.part(None, 2), series.part(2)
    assert early.frequency == late.frequency == series.frequency
    np.testing.assert_array_equal(early.frequency.after(early.time[-1], 22), late.time)


@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize("weeks", [1, 2, 4])
def test_weeks_are_weeks_on_any_day(weekday, weeks):
    start = date(2021, 1, 4) + timedelta(days=weekday)
    times = stamps(start + timedelta(weeks=weeks * k) for k in range(20 + AHEAD))
    found = find_frequency(times[:20])
    assert str(found) == f"{7 * weeks}D"
    np.testing.assert_array_equal(found.after(times[19], AHEAD), times[20:])


def test_four_weeks_that_happen_to_end_months_are_weeks():
    fridays = stamps([date(2021, 1, 29), date(2021, 2, 26), date(2021, 3, 26)])
    assert str(find_frequency(fridays)) == "28D"
    ends = stamps([date(2021, 4, 30), date(2021, 5, 31), date(2021, 6, 30)])
    assert str(find_frequency(ends)) == "ME"
    business = stamps([date(2022, 7, 29), date(2022, 8, 31), date(2022, 9, 30)])
    assert str(find_frequency(business)) == "BME"


@pytest.mark.parametrize("start", [date(2021, 1, 29) + timedelta(days=k) for k in range(7)])
def test_business_days_from_any_day(start):
    days = [start + timedelta(days=k) for k in range(120)]
    times = stamps(day for day in days if day.weekday() < 5)
    found = find_frequency(times[:40])
    assert str(found) == "B"
    np.testing.assert_array_equal(found.after(times[39], 30), times[40:70])


@pytest.mark.parametrize(
    "dates",
    [
        [date(2021, 1, 31), date(2021, 2, 27), date(2021, 3, 31), date(2021, 4, 30)],
        [date(2021, 1, 30), date(2021, 2, 28), date(2021, 3, 29), date(2021, 4, 30)],
        [date(2021, 1, 10), date(2021, 1, 31), date(2021, 2, 28), date(2021, 3, 31)],
    ],
)
def test_days_without_a_rule_are_no_months(dates):
    assert find_frequency(stamps(dates)) is None
