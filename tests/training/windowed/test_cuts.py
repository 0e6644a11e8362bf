"""Series are cut at one date, whatever rows each of them has."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Frequency
from numba_lstm.training.windowed.cuts import auto_window, cut, places

DAY = np.datetime64("2021-01-01", "us")
DAILY = Frequency(1, "D")


def days(first, count):
    return DAY + np.arange(first, first + count) * np.timedelta64(1, "D")


def test_rows_are_numbered_on_one_grid():
    found = places([days(5, 3), days(0, 4)], DAILY)
    assert [one.tolist() for one in found] == [[5, 6, 7], [0, 1, 2, 3]]
    months = np.array(["2021-01-31", "2021-02-28", "2021-03-31"], "datetime64[us]")
    found = places([months, months[2:]], Frequency(1, "ME"))
    assert [one.tolist() for one in found] == [[0, 1, 2], [2]]
    years = places([np.array([1990, 1991]), np.array([1988, 1989])], Frequency(1, "step"))
    assert [one.tolist() for one in years] == [[2, 3], [0, 1]]


def test_between_two_steps_a_row_counts_as_the_later_one():
    """At noon a day's row is not known on its morning."""
    noon = days(2, 3) + np.timedelta64(12, "h")
    assert places([days(0, 9), noon], DAILY)[1].tolist() == [3, 4, 5]


def test_where_no_step_is_kept_each_time_is_one():
    found = places([np.array([1, 4, 9]), np.array([2, 4])], None)
    assert [one.tolist() for one in found] == [[0, 2, 3], [1, 2]]


def test_one_series_is_cut_by_its_rows():
    assert cut(places([days(0, 20)], DAILY), 4, 6) == [(10, 14)]


def test_no_series_trains_on_what_another_one_is_judged_by():
    series = [days(0, 100), days(0, 70), days(0, 92), days(60, 40), days(95, 5)]
    cuts = cut(places(series, DAILY), 15, 10)
    assert cuts == [(75, 90), (70, 70), (75, 90), (15, 30), (0, 0)]
    for which in (0, 1):  # what trains, and what trains or validates
        seen = max(one[at[which] - 1] for one, at in zip(series, cuts) if at[which])
        later = [one[at[which] :] for one, at in zip(series, cuts)]
        assert all(seen < one[0] for one in later if len(one))


@pytest.mark.parametrize(
    ("horizon", "season", "rows", "expected"),
    [(7, 7, 1000, 28), (20, 7, 1000, 40), (7, 52, 1000, 104), (4, 1, 16, 4), (300, 1, 9999, 336),
     (5, 7, 3, 1)],
)  # fmt: skip
def test_the_window_is_two_seasons_or_horizons_where_there_are_rows(
    horizon, season, rows, expected
):
    assert auto_window(horizon, season, rows) == expected
