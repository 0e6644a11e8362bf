"""The calendar's columns go round with the day, the week and the year."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Frequency, Series, calendar, with_calendar
from numba_lstm.datasets.calendars import waves

HOURS = np.arange("2021-01-04", "2021-02-01", dtype="datetime64[h]")


def test_a_cycle_comes_back_after_its_period():
    names, values = calendar(HOURS, Frequency(1, "h"))
    assert np.abs(values).max() <= 1 and values.shape == (len(HOURS), len(names))
    day = [i for i, name in enumerate(names) if name.startswith("day")]
    week = [i for i, name in enumerate(names) if name.startswith("week")]
    np.testing.assert_allclose(values[24:, day], values[:-24, day], atol=1e-9)
    np.testing.assert_allclose(values[168:, week], values[:-168, week], atol=1e-9)
    assert np.abs(values[24:, week] - values[:-24, week]).max() > 0.1
    assert values[0, names.index("week cos 1")] == 1 == values[0, names.index("day cos 1")]


@pytest.mark.parametrize(
    ("frequency", "cycles"),
    [
        (Frequency(15, "min"), {"day", "week", "year"}),
        (Frequency(1, "D"), {"week", "year"}),
        (Frequency(1, "B"), {"week", "year"}),
        (Frequency(7, "D"), {"year"}),
        (Frequency(1, "MS"), {"year"}),
        (Frequency(12, "MS"), set()),
    ],
)
def test_only_cycles_that_the_step_shows_are_there(frequency, cycles):
    names, values = calendar(HOURS, frequency)
    assert {name.split()[0] for name in names} == cycles and len(values) == len(HOURS)


def test_a_wave_says_all_that_its_column_is_made_of():
    hours = HOURS.astype("datetime64[us]")
    names, values = calendar(hours, Frequency(1, "h"))
    told = waves(Frequency(1, "h"))
    assert names == tuple(one.name for one in told)
    for one, column in zip(told, values.T):
        start = hours.astype("datetime64[Y]") if one.since == "year" else np.datetime64(one.since)
        phase = (hours - start) / np.timedelta64(1, "h") / one.period
        np.testing.assert_allclose(
            getattr(np, one.function)(2 * np.pi * one.harmonic * phase), column, atol=1e-9
        )


def test_the_columns_are_known_ahead_and_the_same_for_times_to_come():
    days = np.arange("2021-01-01", "2021-03-01", dtype="datetime64[D]")
    series = with_calendar(Series(np.zeros((len(days), 1)), days, ("y",)))
    assert set(series.known) == set(series.names[1:])
    half = series.part(None, 30)
    ahead = half.frequency.after(half.time[-1], 5)
    np.testing.assert_array_equal(calendar(ahead, half.frequency)[1], series.future[30:35])


def test_plain_numbers_have_no_calendar():
    with pytest.raises(ValueError, match="plain numbers"):
        with_calendar(Series(np.zeros((4, 1)), np.arange(4), ("y",)))
    with pytest.raises(ValueError, match="keep a step"):
        with_calendar(Series(np.zeros((2, 1)), np.arange(2), ("y",)))
