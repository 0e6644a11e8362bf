"""Pooling by itself: what each kind gives of equal values, NaN and long sequences."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm import nn
from numba_lstm.models import SequenceClassifier
from numba_lstm.models.pooling import POOLINGS, padding

STACK = nn.RNN(1, 1)


def test_of_equal_values_the_earliest_gets_the_gradient():
    y = np.array([1.0, 3.0, 3.0, 2.0]).reshape(4, 1, 1)
    features, spread = POOLINGS["max"](STACK, y, None, None)
    assert features.tolist() == [[3.0]]
    dy, dstate = spread(np.array([[5.0]]))
    assert dy.ravel().tolist() == [0, 5, 0, 0] and dstate is None


def test_nan_counts_as_the_largest_value_and_only_within_the_sequence():
    y = np.array([[1.0, 2.0], [np.nan, 0.0], [9.0, np.nan]])[..., None]
    features, spread = POOLINGS["max"](STACK, y, None, np.array([3, 2]))
    assert np.isnan(features[0, 0]) and features[1, 0] == 2
    dy, _ = spread(np.ones((2, 1)))
    assert dy[..., 0].tolist() == [[0, 1], [1, 0], [0, 0]]


def test_nan_of_a_step_reaches_the_logits(rng):
    x = rng.standard_normal((5, 2, 3))
    x[2, 0, 1] = np.nan
    for pooling in POOLINGS:
        logits = SequenceClassifier(3, 4, 2, pooling=pooling, seed=0)(x)
        assert np.isnan(logits[0]).all() and np.isfinite(logits[1]).all(), pooling


@pytest.mark.parametrize("value", [-3.0, 3.0])
def test_zeros_in_the_padding_are_no_values(value):
    y = np.full((4, 3, 2), value, "f4")
    y[2:, 0] = y[:, 1] = 0
    lengths = np.array([2, 0, 4])
    for pooling in ("mean", "max"):
        features, _ = POOLINGS[pooling](STACK, y, None, lengths)
        assert features.dtype == np.float32
        assert features.tolist() == [[value] * 2, [0, 0], [value] * 2]


def test_a_mean_of_many_steps_in_float32_has_the_digits_of_a_float32(rng):
    y = (1 + rng.random((100_000, 1, 3))).astype("f4")
    features, _ = POOLINGS["mean"](STACK, y, None, None)
    assert_close(features, y.mean(axis=0, dtype=np.float64), 2e-7)


def test_padding_tells_where_no_sequence_is():
    assert padding(np.array([2, 0]), 2).tolist() == [[False, True], [False, True]]
