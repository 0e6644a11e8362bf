"""Windows hold what stands before and after each origin, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numba_lstm.datasets import Series, windows


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
