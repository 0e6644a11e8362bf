"""The loop stopped by a signal, a kill or another process: the run goes on to the same bits."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest
from loop_tool import Clock, again, contents, make, stop_after

from numba_lstm import losses
from numba_lstm.training.interrupt import Interrupted
from numba_lstm.training.lm import task as text_task
from numba_lstm.training.runs.checkpoint import Run, RunError


@pytest.mark.parametrize("stop", [1, 4, 5, 11])
def test_an_interrupted_run_goes_on_to_the_same_bits(data, tmp_path, whole, monkeypatch, stop):
    trainer, run = make(data, tmp_path / "parts")
    stop_after(monkeypatch, trainer, stop)
    with pytest.raises(Interrupted):
        trainer.run(run)
    assert run.load().counters["step"] == stop
    trainer = again(data, run)
    trainer.run(run)
    assert contents(run) == contents(whole[1])


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_each_cell_goes_on_to_the_same_bits(data, tmp_path, monkeypatch, cell):
    trainer, run = make(data, tmp_path / "whole", cell=cell)
    trainer.run(run)
    whole = contents(run)
    trainer, run = make(data, tmp_path / "parts", cell=cell)
    stop_after(monkeypatch, trainer, 5)
    with pytest.raises(Interrupted):
        trainer.run(run)
    assert isinstance(run.load().state, np.ndarray)
    trainer = again(data, run, cell=cell)
    trainer.run(run)
    assert contents(run) == whole


def test_an_interruption_while_validating_changes_no_bit(data, tmp_path, whole, monkeypatch):
    trainer, run = make(data, tmp_path / "parts")

    def validate_never():
        trainer.interrupts._heard = signal.SIGINT
        trainer.interrupts.check()

    monkeypatch.setattr(trainer, "_validate", validate_never)
    with pytest.raises(Interrupted):
        trainer.run(run)
    assert run.load().counters["step"] == 4
    again(data, run).run(run)
    assert contents(run) == contents(whole[1])


def interrupt_twice():
    """Two signals at one place: the second is not waited with."""
    for _ in range(2):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("place", ["forward", "update", "after"])
def test_an_interruption_amid_a_step_leaves_the_checkpoint_and_changes_no_bit(
    data, tmp_path, whole, monkeypatch, place
):
    trainer, run = make(data, tmp_path / "parts")
    kept = {}

    def in_step_seven():
        if trainer.counters.step == 6:
            kept.update(contents(run))
            interrupt_twice()

    # Where half of the work is done: the streams have moved on and the masks are drawn; some
    # parameters are updated and others not; all are, and the counters do not know it.
    if place == "forward":
        real_loss = losses.cross_entropy

        def loss_of_seven(*args, **more):
            in_step_seven()
            return real_loss(*args, **more)

        monkeypatch.setattr(losses, "cross_entropy", loss_of_seven)
    elif place == "update":
        real_step = trainer.optimizer.step

        def half_a_step(**more):
            if trainer.counters.step == 6:
                next(iter(trainer.model.parameters()))[...] = 1.0
            in_step_seven()
            real_step(**more)

        monkeypatch.setattr(trainer.optimizer, "step", half_a_step)
    else:
        real_train_step = text_task.train_step

        def whole_step(*args):
            result = real_train_step(*args)
            in_step_seven()
            return result

        monkeypatch.setattr(text_task, "train_step", whole_step)
    with pytest.raises(Interrupted) as caught:
        trainer.run(run)
    assert not caught.value.between_steps
    assert caught.value.exit_code == 130
    assert contents(run) == kept
    assert run.load().counters["step"] == 4
    monkeypatch.undo()
    again(data, run).run(run)
    assert contents(run) == contents(whole[1])


def test_a_second_interruption_amid_saving_keeps_the_checkpoint_before(
    data, tmp_path, whole, monkeypatch
):
    trainer, run = make(data, tmp_path / "parts")
    stop_after(monkeypatch, trainer, 6)
    save = run.save

    def interrupted_save(checkpoint):
        if trainer.counters.step == 6:
            signal.raise_signal(signal.SIGINT)
        save(checkpoint)

    monkeypatch.setattr(run, "save", interrupted_save)
    with pytest.raises(Interrupted) as caught:
        trainer.run(run)
    assert not caught.value.between_steps
    assert run.load().counters["step"] == 4
    monkeypatch.undo()
    again(data, run).run(run)
    assert contents(run) == contents(whole[1])


def test_a_killed_run_goes_on_from_its_last_checkpoint(data, tmp_path, whole, monkeypatch):
    class Killed(BaseException):
        pass

    trainer, run = make(data, tmp_path / "parts")
    step = trainer._step

    def die_at_seven():
        step()
        if trainer.counters.step == 7:
            raise Killed

    monkeypatch.setattr(trainer, "_step", die_at_seven)
    with pytest.raises(Killed):
        trainer.run(run)
    assert [record["step"] for record in run.metrics()] == [3, 4, 6]
    assert run.load().counters["step"] == 4
    again(data, run).run(run)
    assert contents(run) == contents(whole[1])


def test_killed_between_the_better_model_and_the_state_it_makes_the_same_again(
    data, tmp_path, whole, monkeypatch
):
    class Killed(BaseException):
        pass

    trainer, run = make(data, tmp_path / "parts")

    def die(checkpoint):
        raise Killed

    monkeypatch.setattr(run, "save", die)
    with pytest.raises(Killed):
        trainer.run(run)
    run = Run(run.path)
    assert run.load().counters["step"] == 0
    again(data, run).run(run)
    assert contents(run) == contents(whole[1])


def test_an_interruption_before_any_validation_leaves_the_last_model(data, tmp_path, monkeypatch):
    trainer, run = make(data, tmp_path / "run")
    stop_after(monkeypatch, trainer, 2, signal.SIGTERM)
    with pytest.raises(Interrupted) as caught:
        trainer.run(run)
    assert caught.value.exit_code == 143
    kept, last = run.model(), trainer.model.state_dict()
    assert all(np.array_equal(kept[name], last[name]) for name in last)


def test_the_time_used_before_an_interruption_counts(data, tmp_path, monkeypatch):
    options = {"minutes": 1.0, "steps": None, "valid_every": 10**6}
    trainer, run = make(data, tmp_path / "run", Clock(tick=0.5), **options)
    stop_after(monkeypatch, trainer, 10)
    with pytest.raises(Interrupted):
        trainer.run(run)
    used = run.load().counters["seconds"]
    assert used > 5.0
    clock = Clock(tick=0.5)
    trainer = again(data, run, clock=clock, **options)
    trainer.run(run)
    assert trainer.counters.seconds >= 60.0
    assert clock.time < 60.0 - used + 5.0


def test_a_checkpoint_of_other_data_or_another_model_is_refused(data, whole):
    other = dataclasses.replace(data, train=data.train[:-1])
    with pytest.raises(ValueError, match="expected the text that the run was trained on"):
        make(other).restore(whole[1].load())
    with pytest.raises(ValueError, match=r"^state: expected float32 of \(2, 3, 9\), got"):
        make(data, hidden=9).restore(whole[1].load())


def test_no_other_process_can_train_a_run_until_its_end_is_written(data, tmp_path):
    pytest.importorskip("fcntl")
    trainer, run = make(data, tmp_path / "run")
    step = []

    def finish():
        with (
            pytest.raises(RunError, match="another process is training"),
            Run(run.path).exclusive(),
        ):
            pass
        step.append(run.load().counters["step"])

    trainer.run(run, finish)
    assert step == [trainer.counters.step]
    with Run(run.path).exclusive():
        pass


def test_a_run_that_another_process_trains_or_has_trained_is_refused(data, tmp_path):
    pytest.importorskip("fcntl")
    trainer, run = make(data, tmp_path / "run")
    with run.exclusive(), pytest.raises(RunError, match="another process is training this run"):
        trainer.run(run)
    other, _ = make(data, tmp_path / "other")
    other.run(run)
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with pytest.raises(RunError, match="another process has trained this run meanwhile"):
        trainer.run(run)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before
