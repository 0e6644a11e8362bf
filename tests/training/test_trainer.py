"""A module, data and a loss of one's own are trained in ten lines, and end where they should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from trainer_tool import X, Y, data, make, weights

from numba_lstm import losses, nn, optim, threads, training
from numba_lstm.training import Diverged, History, Trainer
from numba_lstm.training.progress import Progress


def test_a_module_data_and_a_loss_of_ones_own_in_ten_lines():
    class Line(nn.Module):
        def __init__(self):
            self.a = nn.Parameter(np.zeros(1))

        def vjp(self, x):
            return self.a.numpy() * x, lambda dy: self.a.add_grad(np.array([(dy * x).sum()]))

        def __call__(self, x):
            return self.a.numpy() * x

    def squares(outputs, targets):
        return float(((outputs - targets) ** 2).mean()), 2 * (outputs - targets) / targets.size

    line, x = Line(), np.arange(1.0, 5.0)
    trainer = Trainer(line, squares, optim.SGD(line.parameters(), lr=0.05))
    history = trainer.fit([(x, 3.0 * x)], valid=[(x, 3.0 * x)], epochs=50)
    assert line.a.numpy() == pytest.approx(3.0, abs=1e-6)
    assert history.val_curve[-1] < 1e-9 < history.loss_curve[0]


def test_the_history_has_a_record_for_each_epoch():
    trainer = make()
    history = trainer.fit(data(), valid=data(shuffle=False), epochs=4)
    assert isinstance(history, History) and history is trainer.history
    names = {"epoch", "step", "train_loss", "val_loss", "seconds", "lr"}
    assert all(set(record) == names for record in history.epochs)
    assert [record["epoch"] for record in history.epochs] == [1, 2, 3, 4]
    assert [record["step"] for record in history.epochs] == [5, 10, 15, 20]
    assert len(history.loss_curve) == len(history.val_curve) == 4
    assert history.stopped == "epochs"
    assert history.best_loss == min(history.val_curve)
    assert history.best_epoch == 1 + int(np.argmin(history.val_curve))


def test_it_does_what_a_loop_by_hand_does():
    trainer = make(clip=0.5)
    trainer.fit(data(), epochs=3)
    other = make().module
    optimizer = optim.Adam(other.parameters(), lr=0.02)
    for batch in [batch for pass_ in [data()] for _ in range(3) for batch in pass_]:
        optimizer.zero_grad()
        logits, pullback = other.vjp(batch[0])
        pullback(losses.cross_entropy(logits, batch[1])[1])
        norm = optim.grad_norm(other.parameters())
        optimizer.step(grad_scale=optim.clip_scale(norm, 0.5))
    assert weights(other) == weights(trainer.module)


def test_without_validation_the_curve_of_it_is_empty_and_the_best_is_of_training():
    history = make().fit(data(), epochs=3)
    assert history.val_curve == []
    assert history.best_loss == min(history.loss_curve)


@pytest.mark.parametrize("count", [1, 2])
def test_the_result_is_the_same_on_any_number_of_threads(count):
    before = threads.get_num_threads()
    if count > before:
        pytest.skip("one thread only")
    results = []
    try:
        for number in (before, count):
            threads.set_num_threads(number)
            trainer = make(dropout=0.3, seed=5)
            history = trainer.fit(data(), valid=data(), epochs=3)
            results.append((weights(trainer.module), history.loss_curve, history.val_curve))
    finally:
        threads.set_num_threads(before)
    assert results[0] == results[1]


def test_the_seed_puts_dropout_where_it_was_at_the_start_of_each_fit():
    trainer = make(dropout=0.5, seed=7)
    first = trainer.module.state_dict()
    curves = []
    for _ in range(2):
        trainer.module.load_state_dict(first)
        trainer.optimizer = optim.Adam(trainer.module.parameters(), lr=0.02)
        curves.append(trainer.fit(data(), epochs=2).loss_curve)
    assert curves[0] == curves[1]
    trainer.seed = 8
    trainer.module.load_state_dict(first)
    trainer.optimizer = optim.Adam(trainer.module.parameters(), lr=0.02)
    assert trainer.fit(data(), epochs=2).loss_curve != curves[0]


def test_a_second_fit_goes_on_where_the_first_one_ended():
    once, twice = make(), make()
    source = data()
    once.fit(source, epochs=4)
    source = data()
    twice.fit(source, epochs=2)
    twice.fit(source, epochs=2)
    assert weights(once.module) == weights(twice.module)


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


def test_an_iterator_serves_for_one_pass_and_is_refused_in_the_next():
    items = list(data())
    assert make().fit(iter(items), epochs=1).epochs[-1]["step"] == 5
    assert make().fit(iter(items * 3), steps=12).epochs[-1]["step"] == 12
    with pytest.raises(ValueError, match="batches: expected an iterable that can be iterated aga"):
        make().fit(iter(items), epochs=2)
    with pytest.raises(ValueError, match="valid: expected an iterable that can be iterated again"):
        make().fit(items, valid=iter(items), epochs=2)


class Stub:
    """A loss that is told what to find when it validates."""

    def __init__(self, values):
        self.values = iter(values)

    def __call__(self, outputs, targets, with_gradient=True):
        loss, gradient = losses.cross_entropy(outputs, targets)
        return (loss if with_gradient else next(self.values)), gradient


class Weights:
    """Keeps the weights of each epoch."""

    def __init__(self):
        self.kept = []

    def on_epoch_end(self, trainer, record):
        self.kept.append(weights(trainer.module))


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


def test_the_validation_loss_is_the_mean_over_targets_whatever_the_batches():
    trainer = make(lr=0.0)
    whole = trainer.fit(data(), valid=data(40), epochs=1).val_curve
    parts = trainer.fit(data(), valid=data(12), epochs=1).val_curve
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    logits = trainer.module.eval()(X.swapaxes(0, 1))
    np.testing.assert_allclose(whole, losses.cross_entropy(logits, Y)[0], rtol=1e-6)


def test_validation_is_in_evaluation_mode_and_training_is_not():
    class Modes(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(2, 2, seed=0)
            self.frozen = nn.Dropout(0.5)
            self.seen = set()

        def __call__(self, x):
            self.seen.add(("valid", self.training, self.frozen.training))
            return self.inner(x)

        def vjp(self, x):
            self.seen.add(("train", self.training, self.frozen.training))
            return self.inner.vjp(x)

    model = Modes()
    model.frozen.eval()
    batch = np.ones((3, 2)), [0, 1, 0]
    trainer = Trainer(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    trainer.fit([batch], valid=[batch], epochs=2)
    assert model.seen == {("train", True, False), ("valid", False, False)}
    assert model.training and not model.frozen.training
    model.eval()
    trainer.fit([batch], epochs=1)
    assert not model.training


class Stops:
    """Asks for the end at a step or an epoch."""

    def __init__(self, step=None, epoch=None):
        self.step, self.epoch, self.records = step, epoch, []

    def on_step_end(self, trainer, record):
        self.records.append(record)
        return record["step"] == self.step

    def on_epoch_end(self, trainer, record):
        self.records.append(record)
        return record["epoch"] == self.epoch


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


def test_sample_weights_reach_the_loss_and_weight_the_means():
    given = []

    def loss(outputs, targets, sample_weight=None):
        given.append(sample_weight)
        return float(sample_weight.sum()), np.zeros_like(outputs)

    w = np.linspace(0.5, 2.0, 40)
    history = make(loss=loss).fit(data(16, sample_weight=w, shuffle=False), epochs=1)
    sums = [w[:16].sum(), w[16:32].sum(), w[32:].sum()]
    np.testing.assert_allclose([array.sum() for array in given], sums)
    np.testing.assert_allclose(history.loss_curve, np.dot(sums, sums) / np.sum(sums))


def test_modules_with_several_outputs_have_a_tuple_of_gradients():
    model = nn.LSTM(2, 3, seed=0)

    def loss(outputs, targets):
        _, (hn, _) = outputs
        return float(np.square(hn).mean()), (None, (2 * hn / hn.size, None))

    trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=0.05))
    history = trainer.fit([(np.ones((4, 2, 2)), 0)], epochs=20)
    assert history.loss_curve[-1] < 0.1 * history.loss_curve[0]


def test_schedules_follow_the_share_of_the_fit_count_epochs_or_look_at_losses():
    def rates(kind, valid=None, loss=losses.cross_entropy, **options):
        trainer = make(loss=loss)
        trainer.schedule = kind(trainer.optimizer, **options)
        stops = Stops()
        trainer.callbacks = (stops,)
        trainer.fit(data(20), valid=valid, epochs=4)
        return [r["lr"] / 0.02 for r in stops.records if "val_loss" not in r]

    places = (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(rates(optim.CosineLR), 0.5 + 0.5 * np.cos(np.pi * places))
    np.testing.assert_allclose(rates(optim.ConstantLR, warmup=0.5), np.minimum(places / 0.5, 1.0))
    halves = rates(optim.StepLR, step_size=2, gamma=0.5)
    assert halves == [1.0] * 4 + [0.5] * 4
    loss = Stub([2.0, 3.0, 3.0, 3.0])
    plateau = rates(optim.ReduceLROnPlateau, data(40), loss, factor=0.5, patience=0)
    assert plateau == [1.0] * 4 + [0.5] * 2 + [0.25] * 2


def test_the_progress_is_shown_on_standard_error_if_asked_for(capsys):
    make().fit(data(), epochs=1)
    assert capsys.readouterr() == ("", "")
    make(progress=True).fit(data(), valid=data(), epochs=2)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("epoch 1  step 5  0:0") and "val loss" in first
    assert second.startswith("epoch 2  step 10  0:0")


def test_a_progress_of_ones_own_is_told():
    told = []

    class Told(Progress):
        def step(self, info):
            told.append((info["step"], info["fraction"]))

    make(progress=Told(quiet=True)).fit(data(20), epochs=2)
    assert told == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)]


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


def test_importing_it_loads_no_kernels():
    code = "from numba_lstm import training; training.Trainer, training.batches, training.History"
    code += "; import sys; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_package_names_what_it_has():
    assert {"Trainer", "History", "Diverged", "batches"} <= set(dir(training))
    for name in training.__all__:
        assert getattr(training, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Banana'"):
        training.Banana  # noqa: B018
