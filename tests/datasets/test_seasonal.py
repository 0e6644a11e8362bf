"""What comes again with the calendar is found where it is, and nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from numba_lstm.datasets import Deseasonalizer, Series, load_seattle_weather

DAYS = np.datetime64("2019-01-01") + np.arange(1100)
YEAR = 8 * np.cos(2 * np.pi * np.arange(1100) / 365.25)
WEEK = np.array([0.0, 1, 2, 2, 4, 9, 7])[np.arange(1100) % 7]


def series(*columns, **about):
    names = tuple(f"c{i}" for i in range(len(columns)))
    return Series(np.stack(columns, axis=1), DAYS[: len(columns[0])], names, **about)


def wandering(rng, persistence, size=1100):
    values = np.zeros(size)
    for t, new in enumerate(rng.normal(size=size - 1)):
        values[t + 1] = persistence * values[t] + new
    return values


def test_each_column_has_its_own_cycles(rng):
    noise = rng.normal(size=(4, 1100))
    found = Deseasonalizer.fit(
        series(YEAR + noise[0], WEEK + noise[1], YEAR + WEEK + noise[2], noise[3])
    )
    assert found.cycles == {"c0": ("year",), "c1": ("week",), "c2": ("week", "year"), "c3": ()}
    effect = found.effect(DAYS)
    np.testing.assert_allclose(effect[:, 1], WEEK - WEEK.mean(), atol=0.3)
    np.testing.assert_allclose(effect[:, 0], YEAR, atol=0.5)
    assert not effect[:, 3].any()


@pytest.mark.parametrize("persistence", [0.0, 0.7, 0.95, 1.0])
def test_slow_noise_is_taken_for_a_season_no_more_often_than_chance_allows(persistence):
    times = [
        Deseasonalizer.fit(series(wandering(np.random.default_rng(seed), persistence))).found
        for seed in range(60)
    ]
    assert np.mean(times) <= 0.1  # two tests at 1 % each; 60 series, so that some may be found


def test_a_season_is_found_below_slow_noise(rng):
    found = Deseasonalizer.fit(series(3 * WEEK + wandering(rng, 1.0)))
    assert found.cycles == {"c0": ("week",)}
    np.testing.assert_allclose(found.effect(DAYS)[:, 0], 3 * (WEEK - WEEK.mean()), atol=1.0)


def test_a_trend_stays_and_is_no_season(rng):
    trend = 0.5 * np.arange(1100) + rng.normal(size=1100)
    assert not Deseasonalizer.fit(series(trend)).found
    both = Deseasonalizer.fit(series(trend + WEEK))
    assert both.cycles == {"c0": ("week",)}
    rest = both.transform(series(trend + WEEK)).values[:, 0] - trend
    np.testing.assert_allclose(rest, WEEK.mean(), atol=0.5)


def test_a_cycle_must_have_been_seen_twice():
    assert Deseasonalizer.fit(series(YEAR[:700])).cycles == {"c0": ()}
    assert Deseasonalizer.fit(series(YEAR[:731])).cycles == {"c0": ("year",)}


def test_what_was_taken_out_can_be_put_back_also_in_times_to_come(rng):
    one = series(YEAR + WEEK + rng.normal(size=1100), WEEK)
    found = Deseasonalizer.fit(one.part(0, 800))
    rest = found.transform(one)
    assert np.ptp(rest.values[:, 1]) < 1e-6
    np.testing.assert_allclose(found.inverse(rest).values, one.values, rtol=1e-12)
    again = Deseasonalizer.from_json(json.loads(json.dumps(found.to_json())))
    np.testing.assert_array_equal(again.transform(one).values, rest.values)
    assert again.cycles == found.cycles


def test_columns_that_are_known_ahead_stay_as_they_are():
    one = series(WEEK, WEEK, known=("c1",))
    np.testing.assert_array_equal(Deseasonalizer.fit(one).transform(one).values[:, 1], WEEK)


def test_series_of_different_levels_and_times_share_a_season(rng):
    many = [
        Series((start + WEEK[n:] + 0.1 * rng.normal(size=1100 - n))[:, None], DAYS[n:], ("c0",))
        for n, start in ((0, 0.0), (400, 50.0), (1098, -10.0))
    ]
    found = Deseasonalizer.fit(many)
    np.testing.assert_allclose(found.effect(DAYS)[:, 0], WEEK - WEEK.mean(), atol=0.1)


def test_without_dates_or_a_step_nothing_is_taken_out():
    numbers = Series(WEEK[:, None], np.arange(1100), ("a",))
    uneven = Series(WEEK[:9, None], DAYS[[0, 1, 5, 6, 13, 18, 20, 28, 31]], ("a",))
    for one in (numbers, uneven):
        found = Deseasonalizer.fit(one)
        assert not found.found and found.cycles == {"a": ()}
        np.testing.assert_array_equal(found.transform(one).values, one.values)
        Deseasonalizer.from_json(found.to_json())


def test_missing_values_are_refused():
    hole = YEAR.copy()
    hole[7] = np.nan
    with pytest.raises(ValueError, match="series: expected no missing values"):
        Deseasonalizer.fit(series(hole))


def test_the_weather_has_years_and_no_weeks():
    cycles = Deseasonalizer.fit(load_seattle_weather()).cycles
    assert set(cycles.values()) == {("year",)}
