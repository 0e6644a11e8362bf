"""What a Trainer cannot use is refused by name, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest
from trainer_tool import X, data, make, weights

from numba_lstm import losses, nn, optim
from numba_lstm.training import Trainer


def test_an_iterator_serves_for_one_pass_and_is_refused_in_the_next():
    items = list(data())
    assert make().fit(iter(items), epochs=1).epochs[-1]["step"] == 5
    assert make().fit(iter(items * 3), steps=12).epochs[-1]["step"] == 12
    with pytest.raises(ValueError, match="batches: expected an iterable that can be iterated aga"):
        make().fit(iter(items), epochs=2)
    with pytest.raises(ValueError, match="valid: expected an iterable that can be iterated again"):
        make().fit(items, valid=iter(items), epochs=2)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((np.full((3, 2, 2), np.nan), [0, 1]), r"inputs without NaN, got NaN at index \(0, 0, 0\)"),
        (
            (np.ones((3, 2, 2)), [0, 1], np.array([1.0, np.nan])),
            r"sample_weight without NaN, got NaN at index \(1\)",
        ),
    ],
)
def test_nan_in_the_data_is_refused_before_it_trains(batch, words):
    trainer = make()
    before = weights(trainer.module)
    with pytest.raises(ValueError, match=f"batches: expected {words} of batch 1"):
        trainer.fit([batch], epochs=1)
    assert weights(trainer.module) == before
    with pytest.raises(ValueError, match=f"valid: expected {words} of batch 1"):
        trainer.fit(data(), valid=[batch], epochs=1)


def test_nan_in_targets_is_told_from_divergence():
    model = nn.Linear(2, 1, seed=0)
    trainer = Trainer(model, losses.mse, optim.SGD(model.parameters(), lr=0.1))
    targets = np.array([[1.0], [np.nan]])
    with pytest.raises(ValueError, match=r"targets without NaN, got NaN at index \(1, 0\)"):
        trainer.fit([(np.ones((2, 2)), targets)], epochs=1)


def test_nan_in_the_padding_is_none_of_the_data():
    class Lasts(nn.Module):
        def __init__(self):
            self.gru = nn.GRU(2, 3, seed=0)

        def __call__(self, x, lengths):
            return self.gru(x, lengths=lengths)[1][-1]

        def vjp(self, x, lengths):
            (_, hn), pullback = self.gru.vjp(x, lengths=lengths)
            return hn[-1], lambda dh: pullback(None, np.asarray(dh)[None])[0]

    model, x = Lasts(), np.ones((4, 2, 2))
    x[2:, 1] = np.nan
    trainer = Trainer(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    trainer.fit([((x, np.array([4, 2])), [0, 1])], epochs=2)
    with pytest.raises(ValueError, match=r"got NaN at index \(2, 1, 0\)"):
        trainer.fit([((x, np.array([4, 3])), [0, 1])], epochs=2)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"module": 3}, TypeError, "module: expected a Module, got int"),
        ({"loss": 3}, TypeError, "loss: expected a function, got int"),
        ({"optimizer": 3}, TypeError, "optimizer: expected an Optimizer, got int"),
        ({"clip": 0}, ValueError, "clip: expected a number above 0"),
        ({"schedule": 3}, TypeError, "schedule: expected a Schedule, got int"),
        ({"patience": 0}, ValueError, "patience: expected at least 1"),
        ({"min_delta": -1}, ValueError, "min_delta: expected a finite number of at least 0"),
        ({"restore_best": 1}, TypeError, "restore_best: expected True or False"),
        ({"callbacks": [print]}, TypeError, "callbacks: expected objects with on_epoch_end or"),
        ({"progress": 3}, TypeError, "progress: expected True, False or a Progress, got int"),
        ({"seed": -1}, ValueError, "seed: expected at least 0"),
    ],
)
def test_arguments_are_refused_by_name(change, error, words):
    model = nn.Linear(2, 2, seed=0)
    about = {"module": model, "loss": losses.mse, "optimizer": optim.SGD(model.parameters(), lr=1)}
    with pytest.raises(error, match=words):
        Trainer(**{**about, **change})


def test_an_optimizer_or_a_schedule_of_another_module_is_refused():
    one, other = nn.Linear(2, 2, seed=0), nn.Linear(2, 2, seed=0)
    mine, its = optim.SGD(one.parameters(), lr=1), optim.SGD(other.parameters(), lr=1)
    with pytest.raises(ValueError, match="optimizer: expected one over the module's parameters"):
        Trainer(one, losses.mse, its)
    with pytest.raises(ValueError, match="schedule: expected one over the same optimizer"):
        Trainer(one, losses.mse, mine, schedule=optim.CosineLR(its))


@pytest.mark.parametrize(
    ("about", "error", "words"),
    [
        ({}, ValueError, "epochs: expected epochs, minutes or steps, got none"),
        ({"epochs": 0}, ValueError, "epochs: expected at least 1"),
        ({"steps": 1.5}, TypeError, "steps: expected an integer"),
        ({"minutes": 0}, ValueError, "minutes: expected a number above 0"),
        ({"batches": 3, "epochs": 1}, TypeError, "batches: expected an iterable, got int"),
        ({"batches": [], "epochs": 1}, ValueError, "batches: expected at least one batch, got"),
        ({"valid": [], "epochs": 1}, ValueError, "valid: expected at least one batch, got none"),
        ({"batches": [X], "epochs": 1}, TypeError, r"batches: expected \(inputs, targets\) or"),
    ],
)
def test_what_cannot_be_fitted_is_refused(about, error, words):
    with pytest.raises(error, match=words):
        make().fit(**{"batches": data(), **about})


@pytest.mark.parametrize("found", [1.0, (1.0, 2, 3), ("a", None), None])
def test_a_loss_that_gives_something_else_is_told_so(found):
    with pytest.raises(TypeError, match=r"loss: expected it to return \(loss, gradient\)"):
        make(loss=lambda outputs, targets: found).fit(data(), epochs=1)
