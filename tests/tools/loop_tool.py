"""What the tests of the training loop share: a small run, a clock, and how a run is stopped."""

from __future__ import annotations

import signal

from numba_lstm.training.lm.config import merge
from numba_lstm.training.lm.loading import make_model
from numba_lstm.training.lm.task import TextTask
from numba_lstm.training.runs.checkpoint import Run
from numba_lstm.training.runs.trainer import RunTrainer

OPTIONS = {
    "hidden": 8,
    "embedding": 6,
    "layers": 2,
    "dropout": 0.3,
    "batch": 3,
    "seq_len": 5,
    "steps": 12,
    "valid_every": 4,
    "log_every": 3,
}


class Clock:
    """Gives the time, and a second more each time it is asked."""

    def __init__(self, tick=0.0):
        self.time, self.tick = 0.0, tick

    def __call__(self):
        self.time += self.tick
        return self.time


def make(data, path=None, clock=None, **options):
    config = merge(("", {**OPTIONS, **options}))
    task = TextTask(config, data, make_model(config, len(data.vocabulary)))
    trainer = RunTrainer(task, now=clock or Clock())
    if path is None:
        return trainer
    run = Run.create(path, config, data.vocabulary.to_json(), trainer.checkpoint())
    return trainer, run


def again(data, run, **options):
    """A new trainer where the run's folder says that it stands."""
    trainer = make(data, **options)
    trainer.restore(run.load())
    run.rewind(trainer.counters.measured_step)
    return trainer


def contents(run):
    """The files that an uninterrupted run and a resumed one must share to the bit."""
    names = ("model.safetensors", "resume.safetensors", "metrics.jsonl")
    return {name: (run.path / name).read_bytes() for name in names}


def stop_after(monkeypatch, trainer, step, signum=signal.SIGINT):
    """Have a signal heard once so many steps are done."""
    done = trainer._step

    def one_step():
        done()
        if trainer.counters.step == step:
            trainer.interrupts._heard = signum

    monkeypatch.setattr(trainer, "_step", one_step)
