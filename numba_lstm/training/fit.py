"""A training that keeps all it needs in memory: what `Trainer.fit` runs."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import optim
from .counters import Counters
from .history import History
from .interrupt import Interrupts
from .loop import Loop
from .shared_interrupts import SharedInterrupts
from .step import Diverged
from .supervised import Supervised

__all__ = ["Fit"]


class Fit(Loop):
    """One call of `Trainer.fit`: it measures at the end of each pass over the batches.

    Parameters
    ----------
    trainer
        Whose callbacks are called.
    task
        What is trained.
    restore_best
        Whether the model is to have the weights of the best validation at the end.
    about
        As `Loop` takes it.
    """

    def __init__(self, trainer: Any, task: Supervised, *, restore_best: bool, **about: Any) -> None:
        super().__init__(task, trainer.optimizer, Counters(), **about)
        self.history = History()
        self._trainer = trainer
        self._restore_best = restore_best and task.validates
        self._measured_passes = 0
        self._told_to_stop = False
        self._at_step = _having(trainer.callbacks, "on_step_end")
        self._at_epoch = _having(trainer.callbacks, "on_epoch_end")
        self._steps_may_end_it = bool(self._at_step)
        # The last weights that are known to be good.
        self._kept: dict[str, np.ndarray] = {}

    def _make_interrupts(self) -> Interrupts:
        # Else the program has a way of its own to be interrupted.
        ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        kind = Interrupts if self.task.group.size == 1 else SharedInterrupts
        return kind((signal.SIGINT,) if ours else ())

    def run(self) -> None:
        """Train to the end.

        Raises
        ------
        Diverged, KeyboardInterrupt
            As `Trainer.fit` says.
        """
        self._agree()
        model = self.task.model
        self._kept = self._finite_model()
        try:
            with self.interrupts:
                self._start_clock()
                self._loop()
            self.history.stopped = self._reason()
            if self._restore_best:
                model.load_state_dict(self._kept)
            self.exchange.check()  # one may have come in the last step, or while it validated
        except KeyboardInterrupt:
            self.history.stopped = "interrupted"
            raise
        except Diverged:
            self.history.stopped = "diverged"
            self._go_back()
            raise
        finally:
            self.progress.clear()

    def _agree(self) -> None:
        """Raise DistributedError, on all ranks, where some would wait for others for ever."""
        group = self.task.group
        if group.size == 1:
            return
        same: dict[str, Any] = {
            **vars(self.budget),
            "patience": self.patience,
            "min_delta": self.min_delta,
            "clip": self.clip,
            "restore_best": self._restore_best,
            "valid": "some" if self.task.validates else "none",
        }
        counts = group.all_gather(self.task.length)
        if None not in counts:  # else only the passes tell
            same["number of batches"] = counts[group.rank]
        for name, value in same.items():
            group.agree(name, str(value))
        self._steps_may_end_it = group.any(self._steps_may_end_it)  # the callbacks may differ

    def _reason(self) -> str:
        if self._told_to_stop:
            return "callback"
        if self.stopped_early():
            return "patience"
        return self.budget.used_up(self.task, self.counters)

    def _go_back(self) -> None:
        """Leave good weights: those before the step that failed, unless better ones are known."""
        model = self.task.model
        finite = all(np.isfinite(p.numpy()).all() for p in model.parameters())
        if not finite or (self._restore_best and self.counters.best_step is not None):
            model.load_state_dict(self._kept)

    def _stops(self) -> bool:
        return self._told_to_stop or self.stopped_early()

    def _is_due(self, finished: bool) -> bool:
        c = self.counters
        ended = self.task.passes > self._measured_passes
        return c.step > c.measured_step and (ended or finished or self._told_to_stop)

    def _step(self) -> None:
        before = self.counters.step
        super()._step()
        if self._steps_may_end_it and self.counters.step > before:
            c = self.counters
            record = {
                "epoch": self.task.passes + 1,
                "step": c.step,
                "train_loss": c.mean_loss(),
                "seconds": c.seconds,
                "lr": _lr(self.optimizer),
            }
            self._told_to_stop = self._call(self._at_step, record)

    def _measure(self, finished: bool) -> None:
        """Write the record of a pass, or of what was done of it."""
        c, task = self.counters, self.task
        ended = task.passes > self._measured_passes
        self._measured_passes = task.passes
        val_loss = self._validate().loss if task.validates else None
        model = self._finite_model()
        self._read_clock()
        c.measured()
        c.val_loss = val_loss
        assert c.train_loss is not None
        loss = c.train_loss if val_loss is None else val_loss
        better = c.judge(loss, self.min_delta)
        epoch = task.passes if ended else task.passes + 1
        record = {
            "epoch": epoch,
            "step": c.step,
            "train_loss": c.train_loss,
            "val_loss": val_loss,
            "seconds": c.seconds,
            "lr": _lr(self.optimizer),
        }
        if better or not self._restore_best:
            self._kept = model
        if better:
            self.history.best_epoch, self.history.best_loss = epoch, loss
        self.history.epochs.append(record)
        self.progress.validated(record, better)
        if ended:
            self._plan(loss)
        self._told_to_stop = self._call(self._at_epoch, record) or self._told_to_stop

    def _plan(self, loss: float) -> None:
        """Have the schedules that count passes, or look at losses, do so."""
        if isinstance(self.schedule, optim.StepLR):
            self.schedule.step()
        elif isinstance(self.schedule, optim.ReduceLROnPlateau):
            self.schedule.step(loss)

    def _call(self, functions: Sequence[Any], record: dict[str, Any]) -> bool:
        """Call back, and tell whether to end: on all ranks after the same step, if one asks for it.

        The next step's message could tell, too, but only after that step. This one has 8 bytes: 2
        µs between two ranks of a machine. A fit without callbacks at steps sends one an epoch.
        """
        told = [bool(function(self._trainer, record)) for function in functions]
        return self.task.group.any(any(told))


def _having(callbacks: Sequence[Any], name: str) -> list[Any]:
    return [getattr(one, name) for one in callbacks if hasattr(one, name)]


def _lr(optimizer: optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])
