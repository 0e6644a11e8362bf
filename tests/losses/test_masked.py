"""Weights that leave out padding, with each loss that takes them."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses

LENGTHS = [3, 0, 1]


def test_steps_within_a_sequence_weigh_one():
    weights = losses.masked(LENGTHS, 4)
    assert weights.dtype == np.float32
    assert weights.tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]]
    first = losses.masked(np.array(LENGTHS, "u1"), 4, batch_first=True)
    assert np.array_equal(first, weights.T) and first.flags.c_contiguous
    assert losses.masked([], 4).shape == (4, 0) and losses.masked([0], 0).shape == (0, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: losses.mse(x, np.zeros(x.shape), sample_weight=w),
        lambda x, w: losses.huber(x, np.zeros(x.shape), sample_weight=w),
        lambda x, w: losses.binary_cross_entropy_with_logits(x, np.ones(x.shape), sample_weight=w),
        lambda x, w: losses.quantile(x, np.zeros(x.shape[:2]), [0.3, 0.6], sample_weight=w),
        lambda x, w: losses.cross_entropy(x, np.ones(x.shape[:2], int), sample_weight=w),
    ],
)
def test_with_it_a_loss_is_that_of_the_steps_that_exist(call, rng):
    x = rng.standard_normal((4, 3, 2))
    x[losses.masked(LENGTHS, 4) == 0] = np.nan
    loss, gradient = call(x, losses.masked(LENGTHS, 4))
    rows = np.concatenate([x[:n, b] for b, n in enumerate(LENGTHS)])[None]
    expected, by_row = call(rows, np.ones(rows.shape[:2]))
    assert loss == pytest.approx(expected, rel=1e-14)
    found = np.concatenate([gradient[:n, b] for b, n in enumerate(LENGTHS)])[None]
    assert np.allclose(found, by_row, rtol=1e-13, atol=0)
    assert np.count_nonzero(gradient.any(axis=2)) == 4


@pytest.mark.parametrize(
    ("lengths", "steps", "error", "message"),
    [
        ([5], 4, ValueError, "lengths: expected 0 to 4, got 5 at index 0"),
        ([-1], 4, ValueError, "lengths: expected 0 to 4, got -1 at index 0"),
        ([1.0], 4, TypeError, "lengths: expected integers"),
        (3, 4, ValueError, r"lengths: expected shape \(B,\)"),
        ([1], 4.0, TypeError, "steps: expected an integer"),
        ([1], -1, ValueError, "steps: expected at least 0"),
    ],
)
def test_what_is_no_length_is_refused_by_name(lengths, steps, error, message):
    with pytest.raises(error, match=rf"^{message}"):
        losses.masked(lengths, steps)
