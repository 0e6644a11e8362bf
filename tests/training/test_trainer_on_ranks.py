"""Ranks that fit together with a distributed optimizer: one history, one end, the same weights."""

from __future__ import annotations

import functools
import io
import math

import numpy as np
import pytest
from ranks_tool import errors, in_threads
from trainer_tool import weights as weights_of

from numba_lstm import losses, models, nn, optim
from numba_lstm.distributed import DistributedOptimizer
from numba_lstm.dropout_masks import draw_mask
from numba_lstm.training import Diverged, Trainer
from numba_lstm.training.progress import Progress
from numba_lstm.training.shared_interrupts import SharedInterrupts

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


def trainer_on(group, **more):
    model = models.SequenceClassifier(2, 5, 2, dtype=np.float64, seed=0)
    optimizer = DistributedOptimizer(optim.SGD(model.parameters(), lr=0.1), group, average=True)
    return Trainer(model, losses.cross_entropy, optimizer, **more)


class OnlyAtSteps:
    """Looks at steps alone."""

    def __init__(self, last):
        self.last = last

    def on_step_end(self, trainer, record):
        return record["step"] == self.last


class OnlyAtEpochs:
    """Looks at epochs alone."""

    def __init__(self, last):
        self.last = last

    def on_epoch_end(self, trainer, record):
        return record["epoch"] == self.last


@pytest.mark.parametrize(
    ("callbacks", "steps"),
    [
        ([[], [OnlyAtSteps(6)], []], 6),
        ([[OnlyAtSteps(0)], [OnlyAtSteps(3), OnlyAtSteps(0)], [OnlyAtSteps(9)]], 3),
        ([[OnlyAtEpochs(2)], [], [OnlyAtSteps(0)]], 8),
        ([[OnlyAtEpochs(4)], [OnlyAtEpochs(3), OnlyAtEpochs(0)], [OnlyAtSteps(10)]], 10),
    ],
)
def test_a_callback_that_asks_for_the_end_on_one_rank_ends_the_fit_on_all_after_that_step(
    callbacks, steps
):
    def rank(group):
        trainer = trainer_on(group, callbacks=callbacks[group.rank])
        history = trainer.fit(batches(group, 0, 32), batches(group, 32, 48), epochs=5)
        return history.stopped, history.epochs[-1]["step"], weights_of(trainer.module)

    first, *others = in_threads(3, rank)
    assert first[:2] == ("callback", steps)
    assert others == [first] * 2


def test_rank_0_alone_shows_the_progress():
    shown = io.StringIO()

    def rank(group):
        trainer = trainer_on(group)
        trainer.progress = Progress(shown)
        trainer.fit(batches(group, 0, 32), batches(group, 32, 48), epochs=2)

    assert in_threads(2, rank) == [None, None]
    lines = shown.getvalue().splitlines()
    assert len(lines) == len(set(lines)) == 2, lines


def test_ranks_may_validate_on_other_numbers_of_batches():
    def rank(group):
        valid = [(X[:, 32:40], Y[32:40]), (X[:, 40:48], Y[40:48])][: 1 + group.rank]
        return trainer_on(group).fit(batches(group, 0, 32), valid, epochs=2).val_curve

    first, second = in_threads(2, rank)
    assert first == second and len(first) == 2


def test_a_rank_may_have_nothing_to_validate_on():
    def rank(group):
        valid = [] if group.rank == 1 else [(X[:, 32:40], Y[32:40]), (X[:, 40:48], Y[40:48])]
        return trainer_on(group).fit(batches(group, 0, 32), valid, epochs=2).val_curve

    def whole(group):
        valid = [(X[:, 32:48], Y[32:48])] if group.rank == 0 else iter(())
        return trainer_on(group).fit(batches(group, 0, 32), valid, epochs=2).val_curve

    (first, second), (expected, _) = in_threads(2, rank), in_threads(2, whole)
    assert first == second and len(first) == 2
    np.testing.assert_allclose(first, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("valid", "words"),
    [
        (lambda rank: [], "valid on all ranks: expected at least one batch, got none"),
        (
            lambda rank: iter([(X[:, 32:], Y[32:])]) if rank else [(X[:, 32:], Y[32:])],
            "valid on ranks 1-2: expected an iterable that can be iterated again, as a list can, "
            "got one that is used up (a generator can be iterated once)",
        ),
    ],
)
def test_what_cannot_validate_is_refused_on_all_ranks_by_name(valid, words):
    def rank(group):
        trainer_on(group).fit(batches(group, 0, 30, 6), valid(group.rank), epochs=2)

    assert errors(in_threads(3, rank)) == [f"ValueError: {words}"] * 3


def test_a_seed_gives_each_rank_masks_of_its_own_and_rank_0_those_of_one_process():
    x, target = np.ones((4, 64)), np.zeros((4, 64))

    def masks(group, seed):
        found = []

        def loss(outputs, targets):
            found.append((outputs != 0).tolist())
            return losses.mse(outputs, targets)

        linear = nn.Linear(64, 64, seed=0)
        linear.bias[...] = 100.0  # no output is zero by itself
        module = nn.Sequential(linear, nn.Dropout(0.5, seed=3))
        optimizer = optim.SGD(module.parameters(), lr=1e-9)
        if group is not None:
            optimizer = DistributedOptimizer(optimizer, group, average=True)
        Trainer(module, loss, optimizer, seed=seed).fit([(x, target)], steps=2)
        return found

    child = np.random.default_rng(np.random.default_rng(7).integers(2**63))
    alone = [(draw_mask(child, (4, 64), 0.5, np.float32) != 0).tolist() for _ in range(2)]
    assert masks(None, 7) == alone  # what a seed has always given
    ranks = in_threads(3, functools.partial(masks, seed=7))
    assert ranks[0] == alone
    different = {str(mask) for found in ranks for mask in found}
    assert len(different) == 6  # of three ranks at two steps
    assert in_threads(3, functools.partial(masks, seed=7)) == ranks
    left, *others = in_threads(3, functools.partial(masks, seed=None))
    assert others == [left] * 2 and left not in ranks


@pytest.mark.parametrize(
    ("end", "epochs", "words"),
    [
        (16, 2, "number of batches: expected the same on all ranks, got 4 on rank 0 and 2 on rank"),
        (32, 3, "epochs: expected the same on all ranks, got 2 on rank 0 and 3 on rank 1"),
    ],
)
def test_ranks_that_would_wait_for_others_for_ever_are_refused(end, epochs, words):
    def rank(group):
        last = (group.rank, end, epochs) if group.rank else (0, 32, 2)
        trainer_on(group).fit(batches(group, 0, last[1]), epochs=last[2])

    for error in errors(in_threads(2, rank)):
        assert error.startswith("DistributedError: ") and words in error


def test_a_signal_during_the_last_validation_ends_the_fit_on_all_ranks(monkeypatch):
    came = []

    class Valid(list):
        def __iter__(self):
            came.append(1)
            return super().__iter__()

    def rank(group):
        valid = Valid([(X[:, 32:], Y[32:])]) if group.rank else [(X[:, 32:], Y[32:])]
        try:
            trainer_on(group).fit(batches(group, 0, 32), valid, epochs=1)
        except KeyboardInterrupt as stopped:
            return str(stopped)

    monkeypatch.setattr(SharedInterrupts, "told", lambda self: (bool(came), False, False))
    assert in_threads(2, rank) == ["SIGINT", "SIGINT"]
