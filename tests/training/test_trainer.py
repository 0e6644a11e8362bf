"""A module, data and a loss of one's own are trained in ten lines, and end where they should."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from trainer_tool import Stops, Stub, X, Y, data, make, weights

from numba_lstm import losses, nn, optim, threads, training
from numba_lstm.training import History, Trainer
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
