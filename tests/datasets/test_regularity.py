"""Series are made whole only on request, and what is done is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numba_lstm.datasets import Series, missing_times, regular
from numba_lstm.datasets.regularity import values_there

DAYS = np.arange("2021-01-01", "2021-03-01", dtype="datetime64[D]")


def daily(keep=slice(None), columns=1):
    values = np.arange(len(DAYS) * columns, dtype=float).reshape(len(DAYS), columns)
    return Series(values[keep], DAYS[keep], tuple("abc"[:columns]), source="s.csv")


def test_gaps_are_named_in_ranges():
    series = daily(np.delete(np.arange(59), [2, 9, 10, 11, 40]))
    assert missing_times(series) == "2021-01-03, 2021-01-10 to 2021-01-12, 2021-02-10"
    assert missing_times(series, 1) == "2021-01-03 and 2 more"
    assert "5 gaps" in repr(series) and "every 1 day" in repr(series)


def without(series, rows):
    values = series.values.copy()
    values[rows] = np.nan
    return replace(series, values=values)


def test_gaps_and_missing_values_are_refused_unless_they_are_to_be_filled():
    series = daily(np.delete(np.arange(59), [2, 3]))
    with pytest.raises(
        ValueError, match=r"s\.csv: one row is expected every 1 day; missing: 2021-01-03 to"
    ):
        regular(series)
    for how in ("fill", "few"):
        np.testing.assert_allclose(regular(series, how).values, daily().values)
        assert "2 of 59 rows were missing" in regular(series, how).notes[0]
    holes = without(daily(), 5)
    for how in ("error", "steps"):
        with pytest.raises(
            ValueError, match="1 of 59 values are missing, the first in column 'a' at 2021-01-06"
        ):
            regular(holes, how)
    np.testing.assert_allclose(regular(holes, "fill").values, daily().values)
    with pytest.raises(ValueError, match="how: expected"):
        regular(series, "guess")


def test_many_gaps_are_not_filled_unless_that_is_said():
    series = daily(np.delete(np.arange(59), np.arange(3, 50, 5)))
    with pytest.raises(ValueError, match=r"missing: .* and 4 more"):
        regular(series, "few")
    assert len(regular(series, "fill")) == 59


def test_incomplete_rows_count_as_missing():
    holes = without(daily(np.delete(np.arange(59), [30])), slice(4))
    assert "4 of 58 values were missing" in regular(holes, "few").notes[1]
    assert regular(holes, "few").values[:5, 0].tolist() == [4] * 5  # the level at an end
    holes = without(holes, slice(10, 13))
    with pytest.raises(ValueError, match="missing: 2021-01-31"):
        regular(holes, "few")


def test_rows_that_keep_no_step_can_be_steps():
    series = Series([[1.0], [2.0], [3.0], [4.0]], [0, 1, 3, 7], ("a",))
    for how in ("error", "fill", "few"):
        with pytest.raises(ValueError, match=r"keep no step \(from 1 to 4\); 'steps'"):
            regular(series, how)
    assert regular(series, "steps").time.tolist() == [0, 1, 2, 3]
    assert regular(daily(), "steps").time[0] == DAYS[0]


def test_a_column_of_nothing_and_a_hole_of_a_century_are_not_filled():
    empty = without(daily(), slice(None))
    with pytest.raises(ValueError, match="column 'a' has no value at all"):
        regular(empty, "fill")
    late = np.append(DAYS[:5], np.datetime64("2121-01-01"))
    with pytest.raises(ValueError, match="too many to fill"):
        regular(Series(np.zeros((6, 1)), late, ("a",)), "fill")


def test_what_was_read_is_not_changed():
    series = daily(np.delete(np.arange(59), [2]))
    before = series.values.copy()
    assert not np.shares_memory(regular(series, "fill").values, series.values)
    np.testing.assert_array_equal(series.values, before)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["2021-01-01", "2021-01-02", "2021-01-10", "2021-01-13"], "from 1 day to 8 days"),
        (["2021-01-01T00:00", "2021-01-01T01:30", "2021-01-08T01:30"], "from 90 minutes to 1 week"),
    ],
)
def test_steps_that_are_not_kept_are_told_in_words(times, words):
    series = Series(np.ones((len(times), 1)), np.array(times, "datetime64[us]"), ("a",))
    with pytest.raises(ValueError, match=rf"keep no step \({words}\)"):
        regular(series)


def test_which_values_were_there_before_they_were_filled():
    whole = daily(columns=2)
    assert values_there(whole, regular(whole)) is None
    values = whole.values.copy()
    values[[5, 7], [1, 0]] = np.nan
    kept = np.delete(np.arange(59), [3, 20])
    gappy = replace(whole, values=values[kept], time=DAYS[kept])
    expected = np.ones((59, 2), bool)
    expected[[3, 20]] = False
    expected[[5, 7], [1, 0]] = False
    assert np.array_equal(values_there(gappy, regular(gappy, "fill")), expected)
