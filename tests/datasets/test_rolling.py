"""Back-tests show a forecaster the past only, and judge it by what came then."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Series, backtest, baselines, interval_errors, metrics, origins_of

DAYS = np.arange("2021-01-01", "2021-12-31", dtype="datetime64[D]")


def series(rng=None, rows=60, known=False):
    values = np.stack([np.arange(rows, dtype=float), np.arange(rows) % 7], axis=1)
    if rng is not None:
        values[:, 0] = rng.standard_normal(rows).cumsum()
    return Series(values, DAYS[:rows], ("y", "d"), known=("d",) if known else ())


@pytest.mark.parametrize(("stride", "window"), [(None, None), (1, None), (2, 10)])
def test_each_origin_sees_the_rows_before_it(stride, window):
    seen = []

    def forecast(history, horizon, future):
        seen.append((int(history.values[0, 0]), int(history.values[-1, 0]), future))
        return history.target[-horizon:]

    result = backtest(forecast, series(known=True), 4, folds=3, stride=stride, window=window)
    step = stride or 4
    origins = [56 - 2 * step, 56 - step, 56]
    assert result.origins.tolist() == origins
    for (first, last, future), origin, truth, time in zip(seen, origins, result.truth, result.time):
        assert last == origin - 1 and first == (0 if window is None else origin - window)
        np.testing.assert_array_equal(truth[:, 0], np.arange(origin, origin + 4))
        np.testing.assert_array_equal(future[:, 0], np.arange(origin, origin + 4) % 7)
        np.testing.assert_array_equal(time, DAYS[origin : origin + 4].astype("datetime64[us]"))


def test_measures_are_those_of_all_folds(rng):
    data = series(rng)
    result = backtest(baselines.seasonal_naive(1), data, 3, folds=4)
    assert result.errors.shape == (4, 3, 1)
    assert result.measures["mae"] == metrics.mae(result.truth, result.forecast)
    scale = metrics.seasonal_scale(data.target[: result.origins[0]], 7)
    assert result.measures["mase"] == pytest.approx(result.measures["mae"] / scale[0])
    assert result.names == ("y",)


def test_a_series_that_is_too_short_says_what_is_needed():
    with pytest.raises(
        ValueError, match="5 folds, horizon 12 and a history of 2 need 62 rows, got 60"
    ):
        backtest(baselines.seasonal_naive(1), series(), 12)
    with pytest.raises(ValueError, match="history of 50 need 55 rows, got 40"):
        backtest(baselines.linear(), series(rows=40), 5, folds=1, window=50)
    assert origins_of(series(), 5, 2, least=50).tolist() == [50, 55]


@pytest.mark.parametrize("wrong", [np.zeros((3, 1)), np.full((4, 1), np.nan), np.zeros(4)])
def test_a_forecaster_that_gives_something_else_is_found_out(wrong):
    with pytest.raises(ValueError, match="forecast: expected finite values of shape"):
        backtest(lambda history, horizon, future: wrong, series(), 4, folds=2)


def test_intervals_come_from_the_other_folds():
    errors = np.arange(1.0, 6.0)

    def forecast(history, horizon, future):
        fold = (len(history) - 50) // 2
        return np.arange(len(history), len(history) + 2.0)[:, None] - errors[fold]

    result = backtest(forecast, series(), 2, folds=5)
    low, high = result.intervals(0.8)
    np.testing.assert_allclose((low - result.forecast)[:, 0, 0], [2, 1, 1, 1, 1])
    np.testing.assert_allclose((high - result.forecast)[:, 0, 0], [5, 5, 5, 5, 4])
    assert result.coverage(0.8) == pytest.approx(3 / 5)
    with pytest.raises(ValueError, match="at least two folds"):
        backtest(forecast, series(), 2, folds=1).intervals()


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_intervals_hold_the_share_that_they_promise(rng, level):
    data = series(rng, rows=364)
    result = backtest(baselines.seasonal_naive(1), data, 2, folds=150)
    assert abs(result.coverage(level) - level) < 0.07
    assert result.pinball(level) > 0


def test_interval_ends_are_ranks_of_errors():
    errors = np.arange(1.0, 20.0).reshape(19, 1, 1)  # 19 folds: ranks 1 and 19 at 90 %
    low, high = interval_errors(errors, 0.9)
    assert (low[0, 0], high[0, 0]) == (1, 19)
    low, high = interval_errors(errors, 0.8)
    assert (low[0, 0], high[0, 0]) == (2, 18)
    # With few folds all steps ahead share their errors.
    few = np.array([[[1.0], [-5.0]], [[2.0], [7.0]]])
    low, high = interval_errors(few, 0.9)
    assert low.ravel().tolist() == [-5, -5] and high.ravel().tolist() == [7, 7]
    with pytest.raises(ValueError, match="errors: expected at least one"):
        interval_errors(np.zeros((0, 2, 1)))
    with pytest.raises(ValueError, match="level"):
        interval_errors(few, 1.5)


def test_a_forecaster_cannot_write_into_the_series():
    series = Series(np.arange(60.0)[:, None], np.arange(60), ("a",))

    def spoil(history, horizon, future):
        history.values[:] = 7.0
        return np.zeros((horizon, 1))

    with pytest.raises(ValueError, match="read-only"):
        backtest(spoil, series, 3, 2)
    assert series.values[:, 0].tolist() == list(range(60))


def test_a_value_that_was_filled_is_not_judged():
    """Whatever stands where nothing was, in the history or in a forecast, changes no measure."""
    data = series(np.random.default_rng(0), rows=80)
    real = np.ones((80, 1), bool)
    real[[20, 63, 70, 71]] = False
    found = []
    for spoilt in (0.0, 1e6):
        values = data.values.copy()
        values[~real[:, 0], 0] += spoilt
        one = Series(values, data.time, data.names)

        def forecast(history, horizon, future):
            return np.full((horizon, 1), 3.0)

        found.append(backtest(forecast, one, 4, folds=5, real=real))
    one, other = found
    assert one.measures == other.measures and one.scale == other.scale
    assert one.coverage(0.8) == other.coverage(0.8) and one.pinball() == other.pinball()
    there = real[60:].reshape(5, 4, 1)
    assert np.array_equal(one.real, there) and np.array_equal(np.isnan(one.errors), ~there)
    assert one.measures["mae"] == pytest.approx(np.abs(one.errors[there]).mean())
    assert one.judged(one.truth).shape == (17,) and one.judged(one.truth, 0).shape == (17,)
    with pytest.raises(ValueError, match=r"real: expected shape \(80, 1\), got \(80, 2\)"):
        backtest(forecast, data, 4, real=np.ones((80, 2), bool))


def test_interval_ends_leave_out_what_has_no_truth():
    errors = np.arange(1.0, 41.0).reshape(40, 1, 1)
    errors[19:] = np.nan
    low, high = interval_errors(errors, 0.9)
    assert (low[0, 0], high[0, 0]) == (1, 19)
    few = np.array([[[1.0], [-5.0]], [[np.nan], [7.0]]])
    low, high = interval_errors(few, 0.9)
    assert low.ravel().tolist() == [-5, -5] and high.ravel().tolist() == [7, 7]
    with pytest.raises(ValueError, match="errors: expected at least one, got none"):
        interval_errors(np.full((3, 2, 1), np.nan))
