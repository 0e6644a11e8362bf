"""A fit ends by length, patience, a callback, Ctrl-C or divergence, with the weights it should."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from trainer_tool import Stops, Stub, Weights, data, make, weights

from numba_lstm import losses
from numba_lstm.training import Diverged


@pytest.mark.parametrize(
    ("length", "steps", "epochs", "stopped"),
    [
        ({"steps": 7}, 7, [1, 2], "steps"),
        ({"steps": 10}, 10, [1, 2], "steps"),
        ({"epochs": 2}, 10, [1, 2], "epochs"),
        ({"epochs": 9, "steps": 6}, 6, [1, 2], "steps"),
        ({"epochs": 1, "steps": 60}, 5, [1], "epochs"),
    ],
)
def test_the_first_length_that_is_used_up_ends_the_fit(length, steps, epochs, stopped):
    history = make().fit(data(), **length)
    assert history.epochs[-1]["step"] == steps
    assert [record["epoch"] for record in history.epochs] == epochs
    assert history.stopped == stopped


def test_minutes_end_the_fit():
    history = make().fit(data(), minutes=0.003)
    assert history.stopped == "minutes"
    assert 0.18 <= history.epochs[-1]["seconds"] < 5.0


@pytest.mark.parametrize("restore", [True, False])
def test_patience_ends_the_fit_and_the_best_weights_are_restored(restore):
    found = [3.0, 2.0, 2.5, 1.9, 1.95, 1.9, 2.0, 1.0]
    seen = Weights()
    trainer = make(loss=Stub(found), patience=3, restore_best=restore, callbacks=[seen])
    history = trainer.fit(data(), valid=data(40, shuffle=False), epochs=50)
    assert history.stopped == "patience"
    assert history.val_curve == found[:7]
    assert (history.best_epoch, history.best_loss) == (4, 1.9)
    assert weights(trainer.module) == seen.kept[3 if restore else 6]


def test_patience_counts_by_min_delta_and_the_best_is_any_lower_loss():
    found = [3.0, 2.95, 2.8, 2.75, 2.6, 2.55, 2.58, 1.0]
    seen = Weights()
    trainer = make(loss=Stub(found), patience=2, min_delta=0.1, callbacks=[seen])
    history = trainer.fit(data(), valid=data(40), epochs=50)
    assert (history.val_curve, history.stopped) == (found[:7], "patience")
    assert (history.best_epoch, history.best_loss) == (6, 2.55)
    assert weights(trainer.module) == seen.kept[5]
    trainer = make(loss=Stub(found), patience=2, min_delta=0.2)
    history = trainer.fit(data(), valid=data(40), epochs=50)
    assert (history.val_curve, history.best_epoch) == (found[:3], 3)


def test_without_validation_patience_watches_the_training_loss():
    history = make(lr=0.0, patience=3).fit(data(shuffle=False), epochs=50)
    assert (len(history.epochs), history.stopped) == (4, "patience")


def test_callbacks_are_told_of_steps_and_epochs_and_may_end_the_fit():
    stops = Stops(epoch=2)
    history = make(callbacks=[stops]).fit(data(), epochs=9)
    assert (history.stopped, len(history.epochs)) == ("callback", 2)
    assert [record["step"] for record in stops.records] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]
    assert [record["epoch"] for record in stops.records] == [1] * 6 + [2] * 6
    stops = Stops(step=7)
    history = make(callbacks=[stops]).fit(data(), valid=data(), epochs=9)
    assert (history.stopped, history.epochs[-1]["step"], len(history.epochs)) == ("callback", 7, 2)


class Presses:
    """Presses Ctrl-C in a step."""

    def __init__(self, step):
        self.step, self.after = step, None

    def on_step_end(self, trainer, record):
        if record["step"] == self.step:
            self.after = weights(trainer.module)
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0.05)


def test_ctrl_c_leaves_the_module_at_the_last_finished_step():
    presses = Presses(7)
    trainer = make(callbacks=[presses])
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data(), valid=data(), epochs=9)
    assert signal.getsignal(signal.SIGINT) is before
    assert weights(trainer.module) == presses.after
    assert trainer.history.stopped == "interrupted"
    assert [record["step"] for record in trainer.history.epochs] == [5]
    assert trainer.module.training


def test_a_ctrl_c_amid_a_step_waits_for_its_end():
    calls = []

    def loss(outputs, targets, with_gradient=True):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0.05)
        return losses.cross_entropy(outputs, targets)

    trainer, other = make(loss=loss), make()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data(), epochs=1)
    other.fit(data(), steps=3)
    assert weights(trainer.module) == weights(other.module)


@pytest.mark.parametrize("validating", [False, True])
def test_a_ctrl_c_in_the_last_step_or_validation_is_not_lost(validating):
    calls = []

    def loss(outputs, targets, with_gradient=True):
        if with_gradient is not validating:
            calls.append(1)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGINT)
                signal.sigtimedwait([], 0.05)
        return losses.cross_entropy(outputs, targets)

    batches = list(data())[:1]
    valid = batches if validating else None
    trainer, other = make(loss=loss), make()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(batches, valid=valid, steps=2)
    other.fit(batches, valid=valid, steps=2)
    assert trainer.history.stopped == "interrupted"
    assert len(trainer.history.epochs) == 2
    assert weights(trainer.module) == weights(other.module)


def test_an_exception_of_data_or_loss_leaves_the_last_finished_step():
    def broken():
        yield from list(data())[:3]
        raise KeyboardInterrupt

    trainer, other = make(), make()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(broken(), epochs=1)
    other.fit(data(), steps=3)
    assert weights(trainer.module) == weights(other.module)
    assert trainer.history.stopped == "interrupted"


@pytest.mark.parametrize("valid", [False, True])
def test_a_loss_that_is_not_finite_leaves_good_weights(valid):
    calls = []

    def loss(outputs, targets, with_gradient=True):
        found, gradient = losses.cross_entropy(outputs, targets)
        calls.append(with_gradient)
        return (np.nan if calls.count(True) == 8 else found), gradient

    seen = Weights()
    trainer, other = make(loss=loss, callbacks=[seen]), make()
    with pytest.raises(Diverged, match="the loss at step 8 is nan"):
        trainer.fit(data(), valid=data(40) if valid else None, epochs=9)
    assert trainer.history.stopped == "diverged"
    other.fit(data(), steps=7)
    # The best validated ones, or those before the step.
    assert weights(trainer.module) == (seen.kept[0] if valid else weights(other.module))


def test_weights_that_overflow_are_not_left():
    seen = Weights()
    trainer = make(lr=0.01, callbacks=[seen])

    class Explode:
        def on_step_end(self, trainer, record):
            if record["step"] == 7:
                trainer.module.head.bias[...] = np.inf

    trainer.callbacks = (*trainer.callbacks, Explode())
    with pytest.raises(Diverged, match="the loss at step 8 is nan"):
        trainer.fit(data(), epochs=3)
    assert weights(trainer.module) == seen.kept[0]


def test_a_gradient_that_is_not_finite_changes_nothing():
    def loss(outputs, targets):
        found, gradient = losses.cross_entropy(outputs, targets)
        return found, gradient * np.float32(np.inf)

    trainer = make(loss=loss)
    before = weights(trainer.module)
    with pytest.raises(Diverged, match="the gradient's norm at step 1 is"):
        trainer.fit(data(), epochs=1)
    assert weights(trainer.module) == before
