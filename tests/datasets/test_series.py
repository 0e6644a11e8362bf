"""Series know their step and their gaps, and are cut by time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numba_lstm.datasets import Frequency, Series

DAYS = np.arange("2021-01-01", "2021-03-01", dtype="datetime64[D]")


def daily(keep=slice(None), columns=1):
    values = np.arange(len(DAYS) * columns, dtype=float).reshape(len(DAYS), columns)
    return Series(values[keep], DAYS[keep], tuple("abc"[:columns]), source="s.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0], [2.0]], [1, 1], ("a",)), "time: expected rising times, got 1 after 1"),
        (([[1.0], [2.0]], [1], ("a",)), "time: expected .2,. datetime64 or numbers"),
        (([[1.0]], ["x"], ("a",)), "time: expected"),
        (([1.0], [1], ("a",)), "values: expected 2 dimensions"),
        (([[1.0]], [1], ("a", "b")), "names: expected 1, got 2"),
        (([[1.0]], [1], ("a",), 2), "targets: expected 1 to 1, got 2"),
        (([[1.0]], [1], ("a",), 1, ("a",)), "known: 'a' is no column besides the targets"),
        (([[1.0, 2.0]], [1], ("a", "a")), "names: expected different ones, got 'a' twice"),
        (
            ([[1.0], [np.inf]], [1, 2], ("a",)),
            "values: .* finite numbers or NaN, got inf in row 1",
        ),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Series(*arguments)


def test_a_series_is_cut_by_time():
    first, last = daily().split(0.25)
    assert len(first) == 44 and len(last) == 15 and first.time[-1] < last.time[0]
    assert daily().part(-3).values[:, 0].tolist() == [56, 57, 58]
    with pytest.raises(ValueError, match="leaves a part empty"):
        daily().split(0.001)
    with pytest.raises(ValueError, match="fraction: expected"):
        daily().split(1.5)


def test_a_part_keeps_the_frequency_of_the_whole():
    weekdays = np.flatnonzero(np.is_busday(DAYS))
    series = daily(weekdays)
    week = series.part(1, 6)  # Monday to Friday, which by themselves are days
    assert str(series.frequency) == str(week.frequency) == "B" and week.gaps == ()
    assert str(replace(week, frequency=None).frequency) == "D"
    with pytest.raises(ValueError, match="frequency: the rows do not keep a step of 2D"):
        replace(week, frequency=Frequency(2, "D"))


def test_columns_that_are_known_ahead_are_told_apart():
    series = daily(columns=2).with_columns(np.ones((59, 1)), ["holiday"], known=True)
    assert series.known == ("holiday",) and series.future.shape == (59, 1)
    assert series.names == ("a", "b", "holiday") and series.target.shape == (59, 1)


def test_nobody_who_is_given_a_series_can_change_it():
    values, time = np.ones((59, 1)), np.arange(59)
    series = Series(values, time, ("a",))
    for part in (series, series.part(3), series.with_columns(np.ones((59, 1)), ["b"])):
        for array in (part.values, part.time, part.target):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 7
    values[0], time[0] = 2.0, -1  # the caller's own arrays stay theirs
