"""Windows hold what stands before and after each origin, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numba_lstm.datasets import Series, WindowBatches, windows
from numba_lstm.datasets.windowing import origins_in


def series(rows=10, known=False):
    values = np.arange(rows * 2, dtype=float).reshape(rows, 2)
    return Series(values, np.arange(rows), ("a", "b"), known=("b",) if known else ())


@pytest.mark.parametrize("stride", [1, 3])
def test_each_window_is_followed_by_its_horizon(stride):
    one = series(known=True)
    x, y, future, origins = windows(one, 4, 2, stride)
    assert origins.tolist() == list(range(4, 9, stride))
    for i, origin in enumerate(origins):
        np.testing.assert_array_equal(x[i], one.values[origin - 4 : origin])
        np.testing.assert_array_equal(y[i], one.values[origin : origin + 2, :1])
        np.testing.assert_array_equal(future[i], one.values[origin : origin + 2, 1:])
    assert windows(series(), 4, 2).future is None


def test_a_series_just_long_enough_gives_one_and_a_shorter_one_says_what_it_needs():
    assert len(windows(series(6), 4, 2).x) == 1
    with pytest.raises(ValueError, match="too short: window 4 and horizon 3 need 7 rows, got 6"):
        windows(series(6), 4, 3)


@pytest.mark.parametrize("name", ["window", "horizon", "stride"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}: expected at least 1"):
        windows(series(), **{"window": 2, "horizon": 1, "stride": 1, name: 0})


def test_gaps_and_missing_values_are_refused():
    gap = Series(np.zeros((4, 1)), [0, 1, 2, 4], ("a",))
    with pytest.raises(ValueError, match="missing: 3"):
        windows(gap, 2, 1)
    values = series().values.copy()
    values[3, 1] = np.nan
    hole = replace(series(), values=values)
    with pytest.raises(ValueError, match="1 of 20 values are missing"):
        windows(hole, 2, 1)


def test_forecasts_begin_wherever_a_window_and_what_follows_fits():
    train, valid = origins_in(np.array([7, 5, 4]), window=3, horizon=2)
    assert train.tolist() == [3, 4, 5, 10] and valid.tolist() == []


def test_what_windows_that_train_see_is_not_held_out():
    train, valid = origins_in(np.array([12]), 3, 2, np.array([4]))
    assert max(train) + 2 == 12 - 4  # the last row that trains is the last that is not held out
    assert min(valid) == 12 - 4  # the first that is forecast is the first that is
    assert max(valid) + 2 == 12


def batches(seed=None):
    values = np.arange(40.0).reshape(20, 2) ** 2
    return values, WindowBatches(
        values, np.arange(3, 18), 3, 2, known=(1,), batch_size=4, seed=seed
    )


def test_batches_of_windows_and_what_follows():
    values, found = batches()
    assert len(found) == 4 == len(list(found))
    (x, future), y = next(iter(found))
    assert x.shape == (3, 4, 2) and future.shape == y.shape == (2, 4, 1)
    assert x.dtype == y.dtype == future.dtype == np.float32
    assert x.flags.c_contiguous and y.flags.c_contiguous and future.flags.c_contiguous
    np.testing.assert_array_equal(x[:, 1], values[1:4])
    np.testing.assert_array_equal(future[:, 1], values[4:6, 1:])
    np.testing.assert_array_equal(y[:, 1], values[4:6, :1])


def test_batches_are_the_windows_of_the_series():
    one = series(30, known=True)
    whole = windows(one, 4, 2)
    (x, future), y = WindowBatches(one.values, whole.origins, 4, 2, known=(1,)).batch(whole.origins)
    np.testing.assert_array_equal(x, whole.x.swapaxes(0, 1))
    np.testing.assert_array_equal(y, whole.y.swapaxes(0, 1))
    np.testing.assert_array_equal(future, whole.future.swapaxes(0, 1))


def test_each_pass_has_another_order_and_a_seed_the_same_ones():
    one, two = batches(seed=1)[1], batches(seed=1)[1]
    first, second = ([y for _, y in one] for _ in range(2))
    assert any((a != b).any() for a, b in zip(first, second))
    for a, (_, b) in zip(first, two):
        np.testing.assert_array_equal(a, b)
