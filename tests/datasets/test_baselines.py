"""The baselines forecast what they must: the season before, and a linear function of the past."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Series, backtest, baselines

DAYS = np.arange("2021-01-01", "2021-07-01", dtype="datetime64[D]")


def series(values, known=()):
    values = np.asarray(values, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    names = ("y", "b", "c")[: values.shape[1]]
    return Series(values, DAYS[: len(values)], names, known=known)


def test_the_season_before_is_repeated():
    week = series(np.arange(30))
    assert baselines.seasonal_naive()(week, 10)[:, 0].tolist() == [*range(23, 30), 23, 24, 25]
    assert baselines.seasonal_naive(1)(week, 3)[:, 0].tolist() == [29, 29, 29]
    with pytest.raises(ValueError, match="a season of 40 need 40 rows, got 30"):
        baselines.seasonal_naive(40)(week, 3)
    numbers = Series(np.arange(9.0)[:, None], np.arange(9), ("y",))
    assert baselines.seasonal_naive()(numbers, 2).tolist() == [[8], [8]]


def test_an_autoregression_is_found(rng):
    values = np.zeros(181)
    for t in range(2, 181):
        values[t] = 1.2 * values[t - 1] - 0.8 * values[t - 2] + 1.0
    values += rng.standard_normal(181) * 1e-6
    ahead = baselines.linear(2)(series(values[:170]), 5)[:, 0]
    np.testing.assert_allclose(ahead, values[170:175], atol=1e-3)


def test_what_is_known_ahead_is_used(rng):
    promotion = rng.integers(0, 2, 181).astype(float)
    values = series(np.stack([3 + 5 * promotion, promotion], axis=1), known=("b",))
    forecast = baselines.linear(3)
    ahead = forecast(values.part(None, 150), 4, values.future[150:154])
    np.testing.assert_allclose(ahead, values.target[150:154], atol=1e-3)


def test_several_targets_are_forecast_together(rng):
    values = rng.standard_normal((181, 2)).cumsum(axis=0)
    both = Series(values, DAYS, ("a", "b"), targets=2)
    assert baselines.linear()(both, 3).shape == baselines.seasonal_naive()(both, 3).shape == (3, 2)


def test_a_line_is_continued_even_where_inputs_depend_on_each_other():
    ahead = baselines.linear(14)(series(np.arange(100.0)), 7)[:, 0]
    np.testing.assert_allclose(ahead, np.arange(100, 107), rtol=1e-3)


def test_it_may_be_fitted_once_on_a_part(rng):
    values = series(rng.standard_normal(181).cumsum())
    once = baselines.linear(5, train=values.part(None, 100))
    each = baselines.linear(5)
    here = values.part(None, 100)
    np.testing.assert_array_equal(once(here, 3), each(here, 3))
    assert not np.array_equal(once(values, 3), each(values, 3))


def test_a_short_history_takes_fewer_lags():
    assert baselines.linear()(series(np.arange(6.0)), 2).shape == (2, 1)
    with pytest.raises(ValueError, match="window 5 and horizon 3 need 8 rows, got 6"):
        baselines.linear(5)(series(np.arange(6.0)), 3)


def test_a_short_trend_of_weeks_is_not_overfitted(rng):
    """Two seasons would be as many unknowns as windows: errors of many times the noise."""
    weeks = np.datetime64("2021-01-04") + 7 * np.arange(160)
    values = 100 + 0.5 * np.arange(160) + 2 * rng.standard_normal(160)
    trend = Series(values[:, None], weeks, ("y",))
    fitted = baselines.linear(train=trend.part(None, 128))
    error = backtest(fitted, trend, 4, folds=8).measures["mae"]
    assert error < 2.2  # the noise itself has 1.6


def test_lags_and_ridge_are_those_that_forecast_the_last_fifth(rng):
    """What was 14 rows before comes again: five lags do not see it."""
    far = np.tile(rng.standard_normal(14), 13)[:181]
    ahead = baselines.linear()(series(far[:170]), 3)[:, 0]
    np.testing.assert_allclose(ahead, far[170:173], atol=1e-2)
    noise = 5 + rng.standard_normal(181)
    ahead = baselines.linear(40)(series(noise), 7)[:, 0]
    assert np.abs(ahead - noise.mean()).max() < 0.3  # with a weak ridge it follows the noise


def test_linear_beats_naive_where_the_past_pulls_back(rng):
    values = np.zeros(181)
    for t in range(1, 181):
        values[t] = 0.2 * values[t - 1] + rng.standard_normal()
    maes = [
        backtest(f, series(values), 3, folds=20).measures["mae"]
        for f in (baselines.linear(2), baselines.seasonal_naive(1))
    ]
    assert maes[0] < maes[1]
