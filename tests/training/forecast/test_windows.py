"""A window holds what was known at its origin, and nothing that came later."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.training.forecast.meaning import Meaning
from numba_lstm.training.forecast.windows import Rows, WindowBatches, last_known, seen_at

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


def test_series_beneath_each_other_know_nothing_of_each_other():
    one, other = np.zeros((3, 1)), np.ones((5, 1))
    rows = Rows.of([one, other], [None, REAL[:, :1]], [one, other])
    assert rows.starts.tolist() == [0, 3]
    assert rows.last[:, 0].tolist() == [0, 1, 2, 3, 3, 3, 6, 7]
    assert Rows.of([one], [None], [one]).last is None
    short = [np.zeros((2, 1))] * 2
    gap_first = Rows.of(short, [None, np.array([[False], [True]])], short)
    assert gap_first.last[:, 0].tolist() == [0, 1, 2, 3]


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
    meaning = Meaning(
        columns=("sales", "holiday"),
        targets=1,
        known=("holiday",),
        seasonal={},
        mean=(0.0, 0.0),
        scale=(1.0, 1.0),
        window=3,
        horizon=1,
        count=1,
        unit="D",
        ids=("",),
        until="",
    )
    values = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 6.0], [4.0, 6.0]])
    rows = Rows.of([values], [REAL], [10.0 * values[:, :1]])
    batches = WindowBatches(rows, np.array([3, 4]), meaning, 2)
    (((x, future), y),) = list(batches)
    assert x[..., 0].T.tolist() == [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]
    assert future[..., 0].tolist() == [[6.0, 6.0]] and y[..., 0].tolist() == [[3.0, 4.0]]
    assert batches.effects(np.array([3, 4])).tolist() == [[[30.0]], [[40.0]]]
