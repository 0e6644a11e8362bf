"""The level of each window: its last value, wherever the sequence ends."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.models.level import Level

LENGTHS = [3, 0, 5, 1]


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_level_is_the_last_value_of_each_sequence(batch_first, rng):
    x = rng.normal(size=(5, 4, 3))
    given = np.ascontiguousarray(x.swapaxes(0, 1)) if batch_first else x
    level = Level(given, LENGTHS, 2, batch_first)
    expected = np.array([x[2, 0, :2], [0, 0], x[4, 2, :2], x[0, 3, :2]])
    np.testing.assert_array_equal(level.values, expected)
    found = level.taken_from(given)
    found = found.swapaxes(0, 1) if batch_first else found
    np.testing.assert_allclose(found[..., :2], x[..., :2] - expected)
    np.testing.assert_array_equal(found[..., 2], x[..., 2])
    np.testing.assert_array_equal(Level(given, None, 2, batch_first).values, x[4, :, :2])


def test_a_single_sequence_has_one():
    x = np.arange(8.0).reshape(4, 2)
    level = Level(x, None, 1, False)
    assert level.values.tolist() == [6.0]
    assert level.taken_from(x)[:, 0].tolist() == [-6.0, -4.0, -2.0, 0.0] and x[0, 0] == 0


@pytest.mark.parametrize("batch_first", [False, True])
def test_its_gradient_is_that_of_the_sum(batch_first, rng):
    x, given = rng.normal(size=(2, 5, 4, 3))
    dlevel = rng.normal(size=(4, 2))
    if batch_first:
        x, given = (np.ascontiguousarray(one.swapaxes(0, 1)) for one in (x, given))

    def loss(x):
        level = Level(x, LENGTHS, 2, batch_first)
        return (level.taken_from(x) * given).sum() + (level.values * dlevel).sum()

    found = Level(x, LENGTHS, 2, batch_first).back(given, dlevel)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-6
        assert found[index] == pytest.approx((loss(x + step) - loss(x - step)) / 2e-6, abs=1e-7)
