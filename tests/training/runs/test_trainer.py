"""The loop: what it measures, keeps and shows, and what a bad number or a clock does to a run."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from loop_tool import OPTIONS, Clock, again, contents, make, stop_after

from numba_lstm import optim
from numba_lstm.training.interrupt import Interrupted
from numba_lstm.training.lm import task as text_task
from numba_lstm.training.lm.config import ConfigError, merge
from numba_lstm.training.lm.evaluation import Evaluation, evaluate
from numba_lstm.training.lm.loading import make_model
from numba_lstm.training.lm.task import TextTask
from numba_lstm.training.progress import Progress
from numba_lstm.training.runs import trainer as run_loop
from numba_lstm.training.runs.checkpoint import Run
from numba_lstm.training.runs.trainer import RunTrainer
from numba_lstm.training.step import Diverged


def test_reporting_and_saving_more_often_change_no_parameter(data, tmp_path, whole, monkeypatch):
    monkeypatch.setattr(run_loop, "_SAVE_SECONDS", -1.0)
    trainer, run = make(data, tmp_path / "often", log_every=1, valid_every=2)
    trainer.run(run)
    for name, array in whole[0].model.state_dict().items():
        assert np.array_equal(array, trainer.model.state_dict()[name]), name


def test_warming_up_changes_nothing(data):
    trainer = make(data)
    before = trainer.checkpoint().pack()
    trainer.warm_up()
    after = trainer.checkpoint().pack()
    assert before[1] == after[1]
    assert all(np.array_equal(before[0][name], after[0][name]) for name in before[0])


def test_the_metrics_have_a_line_for_each_log_and_validation(whole):
    records = list(whole[1].metrics())
    assert [record["step"] for record in records] == [3, 4, 6, 8, 9, 12]
    assert [record["step"] for record in records if record["val_loss"] is not None] == [4, 8, 12]
    assert records[-1]["tokens"] == 12 * 15


def test_the_train_loss_is_the_mean_since_the_last_line(data, tmp_path):
    trainer, run = make(data, tmp_path / "each", log_every=1)
    trainer.run(run)
    each = [record["train_loss"] for record in run.metrics()]
    trainer, run = make(data, tmp_path / "some", log_every=6, valid_every=12)
    trainer.run(run)
    means = [record["train_loss"] for record in run.metrics()]
    np.testing.assert_allclose(means, [np.mean(each[:6]), np.mean(each[6:])], rtol=1e-12)


def test_the_best_model_is_kept_and_reported(data, tmp_path, monkeypatch):
    trainer, run = make(data, tmp_path / "run", steps=12)
    known = [Evaluation(3.0, 9), Evaluation(2.0, 9, 1, 1.5), Evaluation(2.5, 9)]
    valid_losses(monkeypatch, trainer, known)
    models = {}
    save_model = run.save_model

    def remember(model, **about):
        models[about["step"]] = {name: array.copy() for name, array in model.items()}
        save_model(model, **about)

    monkeypatch.setattr(run, "save_model", remember)
    trainer.run(run)
    summary = trainer.summary()
    assert (summary["val_loss"], summary["best_step"], summary["last_val_loss"]) == (2.0, 8, 2.5)
    assert summary["val_known_loss"] == 1.5
    kept = run.model()
    assert all(np.array_equal(kept[name], array) for name, array in models[8].items())


def valid_losses(monkeypatch, trainer, losses):
    """Have the validations find these losses, one after the other."""
    values = (one if isinstance(one, Evaluation) else Evaluation(one, 9) for one in losses)
    monkeypatch.setattr(trainer, "_validate", lambda: next(values))


@pytest.mark.parametrize(
    ("patience", "steps", "last"),
    [(1, 12, 12), (2, 40, 28), (3, 40, 32), (9, 40, 40)],
)
def test_a_run_stops_early_when_its_patience_is_at_its_end(
    data, tmp_path, monkeypatch, patience, steps, last
):
    trainer, run = make(data, tmp_path / "run", steps=steps, patience=patience)
    #           step 4    8    12   16   20   24   28   32   36   40
    losses = [3.0, 2.0, 1.9, 1.9, 1.8, 1.8, 2.5, 1.8, 2.0, 2.0]
    valid_losses(monkeypatch, trainer, losses)
    trainer.run(run)
    assert trainer.counters.step == last
    assert trainer.stopped_early() == (last < steps)
    assert trainer.summary()["stopped_early"] == (last < steps)
    assert trainer.summary()["best_step"] == (12 if patience == 1 else 20)
    assert [record["step"] for record in run.metrics()][-1] == last


def test_a_run_stopped_early_stays_so_until_it_gets_more_patience(data, tmp_path, monkeypatch):
    options = {"steps": 40, "patience": 2}
    trainer, run = make(data, tmp_path / "run", **options)
    valid_losses(monkeypatch, trainer, [3.0, 4.0, 4.0])
    trainer.run(run)
    before = contents(run)
    trainer = again(data, run, **options)
    trainer.run(run)
    assert (trainer.counters.step, trainer.stopped_early()) == (12, True)
    assert contents(run) == before
    trainer = again(data, run, steps=40, patience=3)
    valid_losses(monkeypatch, trainer, [3.5])
    trainer.run(run)
    assert (trainer.counters.step, trainer.stopped_early()) == (16, True)


def test_an_interrupted_run_counts_its_patience_on(data, tmp_path, monkeypatch):
    options = {"steps": 40, "patience": 3}
    trainer, run = make(data, tmp_path / "run", **options)
    valid_losses(monkeypatch, trainer, [3.0, 4.0, 4.0])
    stop_after(monkeypatch, trainer, 14)
    with pytest.raises(Interrupted):
        trainer.run(run)
    trainer = again(data, run, **options)
    valid_losses(monkeypatch, trainer, [4.0])
    trainer.run(run)
    assert (trainer.counters.step, trainer.stopped_early()) == (16, True)


def test_patience_without_validation_is_refused(data):
    with pytest.raises(ConfigError, match="patience: expected a run that validates"):
        make(dataclasses.replace(data, valid=None), patience=2)


def test_of_two_equally_good_models_the_first_is_kept(data, tmp_path, monkeypatch):
    trainer, run = make(data, tmp_path / "run", steps=12)
    valid_losses(monkeypatch, trainer, [3.0, 2.0, 2.0])
    trainer.run(run)
    assert trainer.summary()["best_step"] == 8


def test_the_reported_loss_is_what_an_evaluation_of_the_saved_model_finds(data, whole):
    trainer, run = whole
    model = make_model(trainer.config, len(data.vocabulary))
    model.load_state_dict(run.model())
    assert evaluate(model, data.valid, 15).loss == trainer.summary()["val_loss"]


def test_without_validation_the_last_model_is_kept(data, tmp_path):
    blind = dataclasses.replace(data, valid=None)
    trainer, run = make(blind, tmp_path / "run")
    trainer.run(run)
    assert trainer.summary()["val_loss"] is None
    kept, last = run.model(), trainer.model.state_dict()
    assert all(np.array_equal(kept[name], last[name]) for name in last)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("loss", "the loss at step 6 is nan"),
        ("norm", "the gradient's norm at step 6 is nan"),
        ("parameter", "embedding.weight is not finite after step 6"),
        ("validation", "the validation loss at step 8 is inf"),
    ],
)
def test_divergence_stops_the_run_and_keeps_the_last_good_checkpoint(
    data, tmp_path, monkeypatch, what, words
):
    trainer, run = make(data, tmp_path / "run")
    step = trainer._step
    real_norm, real_evaluate = optim.grad_norm, text_task.evaluate

    def bad_step():
        parameter = trainer.model.decoder.bias
        if trainer.counters.step == 5 and what == "loss":
            parameter[...] = np.nan
        step()
        if trainer.counters.step == 6 and what == "parameter":
            trainer.model.embedding.weight[len(data.vocabulary) - 1] = np.inf
            monkeypatch.setattr(run_loop, "_SAVE_SECONDS", -1.0)

    def bad_norm(parameters):
        norm = real_norm(parameters)
        return math.nan if trainer.counters.step == 5 and what == "norm" else norm

    def bad_evaluate(*args, **options):
        result = real_evaluate(*args, **options)
        if trainer.counters.step == 8 and what == "validation":
            return dataclasses.replace(result, loss=math.inf)
        return result

    monkeypatch.setattr(trainer, "_step", bad_step)
    monkeypatch.setattr(optim, "grad_norm", bad_norm)
    monkeypatch.setattr(text_task, "evaluate", bad_evaluate)
    with pytest.raises(Diverged, match=words):
        trainer.run(run)
    kept = run.load()
    assert kept.counters["step"] == 4
    assert kept.is_finite()
    assert all(np.isfinite(array).all() for array in run.model().values())


def test_the_state_is_carried_within_an_epoch_and_dropped_at_its_end(data, tmp_path, monkeypatch):
    trainer, run = make(data, tmp_path / "run", epochs=2, steps=None)
    assert trainer.total_steps == 2 * len(trainer.task.streams)
    given = []
    real = text_task.train_step

    def record(model, optimizer, inputs, targets, state, *rest):
        result = real(model, optimizer, inputs, targets, state, *rest)
        given.append((state, result[1]))
        return result

    monkeypatch.setattr(trainer, "warm_up", lambda: None)
    monkeypatch.setattr(text_task, "train_step", record)
    trainer.run(run)
    for number, (state, _) in enumerate(given):
        if number % len(trainer.task.streams) == 0:
            assert state is None
        else:
            assert state is given[number - 1][1]


def test_minutes_bound_the_time_and_plan_the_schedule_over_it(data, tmp_path):
    clock = Clock(tick=0.5)
    trainer, run = make(
        data, tmp_path / "run", clock, minutes=1.0, steps=None, log_every=1, valid_every=10**6
    )
    trainer.run(run)
    records = list(run.metrics())
    assert 60.0 <= trainer.counters.seconds < 64.0
    rates = [record["lr"] for record in records]
    assert max(rates) <= trainer.config.lr
    assert rates[-1] < 0.02 * trainer.config.lr
    middle = min(records, key=lambda record: abs(record["seconds"] - 30.6))
    assert middle["lr"] == pytest.approx(trainer.config.lr / 2, rel=0.1)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_weight_decay_reaches_the_optimizer(data, optimizer):
    (group,) = make(data, optimizer=optimizer, weight_decay=0.125).optimizer.param_groups
    assert group["weight_decay"] == 0.125
    (group,) = make(data, optimizer=optimizer).optimizer.param_groups
    assert group["weight_decay"] == (0.01 if optimizer == "adamw" else 0.0)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_each_optimizer_lowers_the_loss(data, tmp_path, optimizer):
    trainer, run = make(
        data,
        tmp_path / "run",
        optimizer=optimizer,
        lr=0.5 if optimizer == "sgd" else 0.02,
        steps=60,
        dropout=0.0,
    )
    trainer.run(run)
    records = list(run.metrics())
    assert records[-1]["train_loss"] < 0.95 * records[0]["train_loss"]


def test_the_learning_rate_follows_the_schedule_and_is_never_zero(data, tmp_path):
    options = {"lr": 2e-3, "warmup": 0.25, "log_every": 1, "optimizer": "adam"}
    rates = {}
    for schedule in ("cosine", "constant"):
        trainer, run = make(data, tmp_path / schedule, schedule=schedule, **options)
        trainer.run(run)
        rates[schedule] = [record["lr"] / 2e-3 for record in run.metrics()]
    places = (np.arange(12) + 0.5) / 12
    rising, falling = places / 0.25, 0.5 + 0.5 * np.cos(np.pi * (places - 0.25) / 0.75)
    np.testing.assert_allclose(rates["cosine"], np.where(places < 0.25, rising, falling))
    np.testing.assert_allclose(rates["constant"], np.minimum(rising, 1.0))


@pytest.mark.parametrize("clip", [0.01, 0.0])
def test_clipping_bounds_the_step_and_zero_does_not(data, clip):
    trainer = make(data, clip=clip, optimizer="sgd", lr=1.0, warmup=0.0, schedule="constant")
    before = trainer.model.state_dict()
    trainer._step()
    after = trainer.model.state_dict()
    moved = math.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in before))
    if clip:
        assert moved == pytest.approx(0.01, rel=1e-4)
    else:
        assert moved > 0.02


def test_what_a_run_needs_is_compiled_before_its_first_step(data, tmp_path, monkeypatch):
    trainer, run = make(data, tmp_path / "run", steps=1)
    calls = []
    real_step, real_evaluate = text_task.train_step, text_task.evaluate

    def step(model, optimizer, inputs, targets, state, *rest):
        calls.append((model is trainer.model, inputs.shape, state is not None))
        return real_step(model, optimizer, inputs, targets, state, *rest)

    def evaluation(model, *rest, **options):
        calls.append((model is trainer.model, "evaluate"))
        return real_evaluate(model, *rest, **options)

    monkeypatch.setattr(text_task, "train_step", step)
    monkeypatch.setattr(text_task, "evaluate", evaluation)
    trainer.run(run)
    # On a copy of the model, without a state and with one, as training and validation will run.
    assert calls == [
        (False, (5, 3), False),
        (False, (5, 3), True),
        (False, "evaluate"),
        (True, (5, 3), False),
        (True, "evaluate"),
    ]


def test_the_last_step_is_validated_whatever_its_number(data, tmp_path):
    trainer, run = make(data, tmp_path / "run", steps=2, valid_every=10**6, log_every=10**6)
    trainer.run(run)
    assert [(record["step"], record["val_loss"]) for record in run.metrics()] == [
        (2, trainer.summary()["val_loss"])
    ]
    assert trainer.summary()["best_step"] == 2


def test_a_run_is_saved_each_half_minute(data, tmp_path, monkeypatch):
    clock = Clock()
    trainer, run = make(data, tmp_path / "run", clock, steps=12, valid_every=10**6, log_every=10**6)
    step, save, saved = trainer._step, run.save, []

    def ten_seconds():
        clock.time += 10.0
        step()

    def note(checkpoint):
        saved.append((checkpoint.counters["step"], clock.time))
        save(checkpoint)

    monkeypatch.setattr(trainer, "_step", ten_seconds)
    monkeypatch.setattr(run, "save", note)
    trainer.run(run)
    regular = [(3, 30.0), (6, 60.0), (9, 90.0), (12, 120.0)]
    assert saved[:4] == regular
    assert {step for step, _ in saved[4:]} == {12}  # after the last validation, and at the end


def test_a_run_begins_without_a_state(data):
    checkpoint = make(data).checkpoint()
    assert checkpoint.state is None and checkpoint.counters["step"] == 0


def test_the_figures_that_are_shown_are_those_of_the_run(data, tmp_path):
    shown = []

    class Shown(Progress):
        def step(self, info):
            shown.append(info)

    config = merge(("", {**OPTIONS, "valid_every": 100}))
    model = make_model(config, len(data.vocabulary))
    task = TextTask(config, data, model)
    trainer = RunTrainer(task, progress=Shown(quiet=True), now=Clock(tick=0.5))
    trainer.run(Run.create(tmp_path / "run", config, {}, trainer.checkpoint()))
    summary = trainer.summary()
    assert summary["tokens"] == 12 * 15
    assert summary["tokens_per_second"] == summary["tokens"] / summary["seconds"]
    for number, info in enumerate(shown, 1):
        assert (info["step"], info["fraction"]) == (number, number / 12)
        assert info["tokens_per_second"] == 15 * number / info["seconds"]
        assert 1.0 < info["train_loss"] < 5.0 and info["val_loss"] is None
    assert len(shown) == 12
