"""Weighted steps add up to the loss over all samples."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm import losses
from numba_lstm.estimators.weights import unbiased


def test_gradients_of_batches_add_up_to_that_of_all_samples(rng):
    logits, targets = rng.normal(size=(8, 3)), rng.integers(0, 3, 8)
    weights = rng.uniform(0.1, 5.0, 8)
    weights /= weights.mean()
    loss = unbiased(losses.cross_entropy)
    _, whole = loss(logits, targets, sample_weight=weights)
    parts = [
        loss(logits[part], targets[part], sample_weight=weights[part])[1]
        for part in (slice(0, 4), slice(4, 8))
    ]
    np.testing.assert_allclose(np.concatenate(parts) / 2, whole, rtol=1e-6)


def test_the_loss_of_a_batch_is_its_weighted_mean(rng):
    outputs, targets, weights = rng.normal(size=(3, 4, 1))
    value, _ = unbiased(losses.mse)(outputs, targets, sample_weight=np.abs(weights))
    expected = np.average((outputs - targets) ** 2, weights=np.abs(weights))
    assert value == pytest.approx(expected)


def test_padding_of_weight_zero_does_not_count(rng):
    outputs, targets = rng.normal(size=(2, 5, 1)).astype("f4")
    loss = unbiased(losses.mse)
    _, alone = loss(outputs[:3], targets[:3])
    _, padded = loss(outputs, targets, sample_weight=np.array([1.0, 1, 1, 0, 0]))
    np.testing.assert_allclose(padded[:3], alone, rtol=1e-6)
    assert not padded[3:].any()


def test_without_a_gradient_there_is_none():
    assert unbiased(losses.mse)([[1.0]], [[0.0]], sample_weight=[[1.0]], with_gradient=False) == (
        1.0,
        None,
    )
