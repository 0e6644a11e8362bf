"""The step of a series is found from its times, and what breaks it is counted on the calendar."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Frequency, find_frequency
from numba_lstm.datasets.frequency import gaps

# NumPy 2.5 warns of a date plus a bare number, and will refuse it.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")


def span(start, stop, step):
    return np.arange(start, stop, step, dtype="datetime64[us]")


DAYS = span("2021-01-01", "2021-04-01", np.timedelta64(1, "D"))
MONTHS = np.arange("2020-01", "2022-06", dtype="datetime64[M]")
HOUR, DAY, MONTH = (np.timedelta64(1, unit) for unit in "hDM")


@pytest.mark.parametrize(
    ("times", "name", "words", "season"),
    [
        (DAYS, "D", "1 day", 7),
        (DAYS[::2], "2D", "2 days", 1),
        (DAYS[::7], "7D", "1 week", 52),
        (DAYS[np.is_busday(DAYS.astype("datetime64[D]"))], "B", "1 business day", 5),
        (span("2021-01-01", "2021-01-03", np.timedelta64(1, "h")), "h", "1 hour", 24),
        (span("2021-01-01", "2021-01-03", np.timedelta64(15, "m")), "15min", "15 minutes", 96),
        (span("2021-01-01", "2021-01-02", np.timedelta64(90, "m")), "90min", "90 minutes", 16),
        (span("2021-01-01", "2021-01-02", np.timedelta64(10, "s")), "10s", "10 seconds", 1),
        (
            span("2021-01-01", "2021-01-01T00:00:00.36", np.timedelta64(40, "ms")),
            "40ms",
            "40 milliseconds",
            1,
        ),
        (MONTHS.astype("datetime64[us]"), "MS", "1 month", 12),
        (MONTHS[::3].astype("datetime64[us]"), "3MS", "3 months", 4),
        (MONTHS[::12].astype("datetime64[us]"), "12MS", "12 months", 1),
        ((MONTHS + MONTH).astype("datetime64[D]") - DAY, "ME", "1 month", 12),
        (MONTHS.astype("datetime64[D]") + 14 * DAY, "MS", "1 month", 12),
        ((MONTHS[::12] + MONTH).astype("datetime64[D]") - DAY, "12ME", "12 months", 1),
        (np.arange(1900, 1980), "step", "1 step", 1),
        (np.arange(0, 100, 5), "5step", "5 steps", 1),
        (np.arange(20) * 0.1, "0.1step", "0.1 steps", 1),
    ],
)
def test_a_step_is_found_and_goes_on(times, name, words, season):
    times = times.astype("datetime64[us]") if times.dtype.kind == "M" else times
    found = find_frequency(times)
    assert (str(found), found.words, found.season) == (name, words, season)
    assert gaps(times, found) == []
    np.testing.assert_allclose(found.places(times), np.arange(len(times)), atol=1e-6)
    ahead = found.after(times[0], len(times) - 1)
    if times.dtype.kind == "f":
        np.testing.assert_allclose(ahead, times[1:])
    else:
        np.testing.assert_array_equal(ahead, times[1:])


@pytest.mark.parametrize(
    ("times", "left_out"),
    [
        (DAYS, [3, 10, 11]),
        (DAYS[np.is_busday(DAYS.astype("datetime64[D]"))], [4, 20]),
        (span("2021-01-01", "2021-01-03", np.timedelta64(1, "h")), [1, 2, 30]),
        (MONTHS.astype("datetime64[us]"), [5, 6]),
        (np.arange(1900, 1980), [1, 40]),
    ],
)
def test_what_is_missing_is_named(times, left_out):
    kept = np.delete(times, left_out)
    found = find_frequency(kept)
    assert found == find_frequency(times)
    assert gaps(kept, found) == [times[i] for i in left_out]
    assert gaps(kept, found, limit=1) == [times[left_out[0]]]


@pytest.mark.parametrize(
    "times",
    [
        DAYS[:2],
        DAYS[[0, 1, 3, 6, 10, 15]],
        np.array([0, 2, 4, 5, 7, 9]),
        np.array([0.0, 0.1, 0.25, 0.3, 0.45]),
        span("2021-01-01", "2021-01-02", HOUR) + np.arange(24) % 2 * np.timedelta64(1, "ms"),
    ],
)
def test_times_that_keep_no_step_have_no_frequency(times):
    assert find_frequency(times) is None


def test_a_weekend_within_shows_that_all_days_count():
    week = DAYS[np.is_busday(DAYS.astype("datetime64[D]"))]
    saturday = np.sort(np.append(week, np.datetime64("2021-01-02", "us")))
    assert str(find_frequency(saturday)) == "D" and len(gaps(saturday, Frequency(1, "D"))) > 20


def test_a_business_day_follows_a_friday():
    friday = np.datetime64("2021-01-01T17:00", "us")
    ahead = Frequency(1, "B").after(friday, 2)
    assert ahead.tolist() == np.array(["2021-01-04T17", "2021-01-05T17"], "M8[us]").tolist()


def test_where_all_are_the_31st_they_are_ends_of_months():
    ends = np.array(["2021-08-31", "2021-10-31", "2021-12-31"], "datetime64[us]")
    found = find_frequency(ends)
    assert str(found) == "2ME"
    assert found.after(ends[-1], 2).astype("M8[D]").tolist() == (
        np.array(["2022-02-28", "2022-04-30"], "M8[D]").tolist()
    )
    firsts = np.array(["2021-08-01", "2021-10-01", "2021-12-01"], "datetime64[us]")
    assert str(find_frequency(firsts)) == "2MS"


def test_a_day_that_a_month_lacks_is_its_last_one():
    ahead = Frequency(1, "MS").after(np.datetime64("2024-01-30T12:30", "us"), 3)
    days = np.array(["2024-02-29T12:30", "2024-03-30T12:30", "2024-04-30T12:30"], "M8[us]")
    np.testing.assert_array_equal(ahead, days)
