"""A window holds what was known at its origin, and nothing that came later."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Deseasonalizer, Scaler, Series, SeriesScaler, SeriesScalers
from numba_lstm.training.windowed.rows import (
    KnownWindows,
    Rows,
    Sizes,
    WindowPasses,
    last_known,
    seen_at,
)

REAL = np.array([[1, 0], [0, 0], [0, 1], [1, 1], [1, 0]], bool)


def test_the_last_known_row_of_a_cell():
    assert last_known(REAL).T.tolist() == [[0, 0, 0, 3, 4], [0, 1, 2, 3, 3]]


def test_a_filled_value_is_a_level_until_the_next_one_is_known():
    values = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 6.0], [4.0, 6.0]])
    last = last_known(REAL)
    for origin, expected in ((3, [0.0, 0.0, 0.0]), (4, [0.0, 1.0, 2.0, 3.0])):
        found = seen_at(values, last, np.arange(origin))
        assert found[:, 0].tolist() == expected
        assert np.array_equal(found[:, 1], values[:origin, 1])
    both = seen_at(values, last, np.arange(-3, 0)[:, None] + np.array([3, 4]))
    assert both.shape == (3, 2, 2)
    assert both[..., 0].T.tolist() == [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]


def series(values, targets=1, known=()):
    names = ("sales", "holiday")[: np.shape(values)[1]]
    return Series(values, np.arange(len(values)), names, targets, known)


def scaler(mean, scale, names=("sales", "holiday")):
    width = len(names)
    plain = Scaler(np.full(width, float(mean)), np.full(width, float(scale)))
    return SeriesScaler(Deseasonalizer.of_nothing(names), plain)


def rows_of(values, real, scalers=None, **about):
    scalers = scalers or [scaler(0, 1, ("sales", "holiday")[: len(one[0])]) for one in values]
    return Rows.of([series(one, **about) for one in values], scalers, real, "f8")


def test_series_beneath_each_other_know_nothing_of_each_other():
    one, other = np.zeros((3, 1)), np.ones((5, 1))
    rows = rows_of([one, other], [None, REAL[:, :1]])
    assert rows.starts.tolist() == [0, 3]
    assert rows.last[:, 0].tolist() == [0, 1, 2, 3, 3, 3, 6, 7]
    assert rows_of([one], [None]).last is None
    short = [np.zeros((2, 1))] * 2
    gap_first = rows_of(short, [None, np.array([[False], [True]])])
    assert gap_first.last[:, 0].tolist() == [0, 1, 2, 3]
    assert rows.series_of(np.array([0, 2, 3, 7])).tolist() == [0, 0, 1, 1]


def test_each_series_has_its_own_scale_and_forecasts_come_back_to_it():
    one, other = np.arange(4.0)[:, None], 1000 * np.arange(5.0)[:, None] + 7
    by = [scaler(1, 2, ("sales",)), scaler(7, 2000, ("sales",))]
    rows = rows_of([one, other], [None, None], by)
    np.testing.assert_allclose(rows.values[4:, 0], np.arange(5.0) / 2)
    np.testing.assert_allclose(rows.values[:4, 0], (np.arange(4.0) - 1) / 2)
    origins = np.array([2, 7])
    said = np.stack([rows.values[at : at + 2] for at in origins])[..., None]  # (B, H, K, Q)
    found = rows.unscaled(said, origins)
    np.testing.assert_allclose(found[..., 0, 0], [[2.0, 3.0], [3007.0, 4007.0]])


def test_the_season_is_taken_out_and_put_back():
    days = np.datetime64("2024-01-01") + np.arange(60)
    values = 100.0 * (np.arange(60) % 7 == 5)[:, None] + np.arange(60.0)[:, None]
    one = Series(values, days, ("sales",))
    by = SeriesScalers.fit([one]).fitted
    rows = Rows.of([one], by, [None], "f8")
    assert by[0].seasonal.found and np.abs(rows.effect).max() > 10
    said = rows.values[40:47].reshape(1, 7, 1)
    np.testing.assert_allclose(rows.unscaled(said, np.array([40]))[0], values[40:47])


def test_what_was_filled_weighs_nothing_and_windows_of_nothing_else_are_left_out():
    real = np.ones((9, 1), bool)
    real[[4, 5]] = False
    rows = rows_of([np.arange(9.0)[:, None]], [real])
    assert rows.judged(np.arange(3, 8), 2).tolist() == [3, 5, 6, 7]
    assert rows_of([np.zeros((9, 1))], [None]).judged(np.arange(3), 2).tolist() == [0, 1, 2]
    windows = KnownWindows(rows, np.array([3, 6]), Sizes(1, 0, 1, 2, 2), 2)
    ((_, y, weights),) = list(windows)
    assert weights[..., 0].T.tolist() == [[1, 0], [1, 1]] and y.shape == weights.shape
    assert len(windows.batch(np.array([6]))) == 2


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_later_changes_nothing_that_is_seen(seed):
    rng = np.random.default_rng(seed)
    real = rng.random((40, 3)) > 0.3
    real[0] = True

    def filled(values):
        out = values.copy()
        for column in range(3):
            there = np.flatnonzero(real[:, column])
            out[:, column] = np.interp(np.arange(40), there, values[there, column])
        return out

    one = rng.normal(size=(40, 3))
    for origin in range(1, 40):
        other = one.copy()
        other[origin:] += 100.0
        rows = np.arange(origin)
        seen = [seen_at(filled(values), last_known(real), rows) for values in (one, other)]
        assert np.array_equal(*seen)


def test_a_batch_has_what_was_known_at_each_origin():
    values = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 6.0], [4.0, 6.0]])
    rows = rows_of([values], [REAL], known=("holiday",))
    for kind in (KnownWindows, WindowPasses):
        batches = kind(rows, np.array([3, 4]), Sizes(1, 1, 2, 3, 1), 2)
        (((x, future), y),) = list(batches)
        assert x[..., 0].T.tolist() == [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]
        assert future[..., 0].tolist() == [[6.0, 6.0]] and y[..., 0].tolist() == [[3.0, 4.0]]


def test_passes_can_be_drawn_again_by_their_number():
    rows = rows_of([np.arange(30.0)[:, None]], [None])
    one = WindowPasses(rows, np.arange(4, 28), Sizes(1, 0, 1, 4, 2), 5, seed=3)
    first, second = ([y for _, y in one] for _ in range(2))
    assert any((a != b).any() for a, b in zip(first, second))
    again = [y for _, y in one.beginning_at(1, 0)]
    assert all(np.array_equal(a, b) for a, b in zip(second, again))
