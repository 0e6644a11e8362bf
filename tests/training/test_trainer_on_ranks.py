"""Ranks that fit together with a distributed optimizer: one history, one end, the same weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ranks_tool import in_threads

from numba_lstm import losses, models, optim
from numba_lstm.distributed import DistributedOptimizer
from numba_lstm.training import Diverged, Trainer

X = np.random.default_rng(0).normal(size=(6, 48, 2))
Y = (X[0, :, 0] > 0).astype(int)


def batches(group, first, last, size=8):
    """Batches of some samples; of each a rank has its share."""
    found = []
    for at in range(first, last, size):
        mine = slice(at, at + size) if group is None else group.share(size)
        if group is not None:
            mine = slice(at + mine.start, at + mine.stop)
        found.append((X[:, mine], Y[mine]))
    return found


def fitted(group, average=True, loss=losses.cross_entropy, **more):
    model = models.SequenceClassifier(2, 5, 2, dtype=np.float64, seed=0)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    if group is not None:
        optimizer = DistributedOptimizer(optimizer, group, average=average)
    trainer = Trainer(model, loss, optimizer, clip=0.5, **more)
    history = trainer.fit(batches(group, 0, 32), batches(group, 32, 48), epochs=4)
    return history, model.state_dict()


@pytest.mark.parametrize("average", [True, False])
def test_ranks_fit_to_the_weights_and_the_history_of_one(average):
    def part(outputs, targets, **more):
        """A rank's part of the mean over all: half of that over its own."""
        value, gradient = losses.cross_entropy(outputs, targets, **more)
        return value / 2, None if gradient is None else gradient / 2

    alone, expected = fitted(None)
    loss = losses.cross_entropy if average else part
    for history, weights in in_threads(2, lambda group: fitted(group, average, loss)):
        assert history.stopped == "epochs"
        np.testing.assert_allclose(history.loss_curve, alone.loss_curve, rtol=1e-12)
        scale = 1 if average else 0.5  # what validates is the mean of what the loss gives
        np.testing.assert_allclose(
            history.val_curve, np.multiply(alone.val_curve, scale), rtol=1e-12
        )
        for name, array in expected.items():
            np.testing.assert_allclose(weights[name], array, rtol=1e-9, atol=1e-12)


def test_a_loss_that_is_nan_on_one_rank_ends_the_fit_on_all():
    def rank(group):
        calls = []

        def loss(outputs, targets, **more):
            value, gradient = losses.cross_entropy(outputs, targets, **more)
            calls.append(1)
            return math.nan if len(calls) == 3 and group.rank == 1 else value, gradient

        fitted(group, loss=loss)

    for error in in_threads(2, rank):
        assert isinstance(error, Diverged)
        assert str(error) == "the loss at step 3 is nan on rank 1"
