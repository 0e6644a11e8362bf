"""The training loop, whatever is trained and wherever the result is kept.

A step takes a batch and updates the parameters. Between steps the loop measures, keeps the best
model and listens for interruptions; whatever it does there changes no bit of what follows. `Fit`
keeps all in memory, `RunTrainer` in a run's folder.

Several ranks that train together run the same loop. All that it decides by is the same on them: the
counters, whose seconds are rank 0's, and the signals that `Exchange` tells them all of.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from .. import optim
from .budget import Budget
from .counters import Counters
from .exchange import Exchange
from .interrupt import Interrupts
from .progress import Progress
from .shared_interrupts import SharedInterrupts
from .step import Diverged
from .task import Measured, Task

__all__ = ["Loop"]


class Loop:
    """Steps and measurements, until the budget or the patience is used up.

    A subclass says when to measure, and what becomes of it.

    Parameters
    ----------
    task
        What is trained.
    optimizer
        Over the parameters of the task's model.
    counters
        Where the training stands.
    budget
        How long it lasts.
    schedule
        The learning rate's course. It goes by the share of the training that is done and remembers
        nothing, so that it needs no saving: the learning rate it multiplies is the optimizer's.
    clip
        The highest norm of the gradient; None or 0 does not clip.
    patience
        Stop after so many measurements in a row without a better one.
    min_delta
        By how much the loss must be lower than the lowest so far to count for the patience.
    progress
        What shows the training to a person.
    now
        The clock, in seconds.
    """

    def __init__(
        self,
        task: Task,
        optimizer: optim.Optimizer,
        counters: Counters,
        *,
        budget: Budget,
        schedule: optim.Schedule | None = None,
        clip: float | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        progress: Progress | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task, self.optimizer, self.counters = task, optimizer, counters
        self.budget, self.schedule, self.clip = budget, schedule, clip
        self.patience, self.min_delta = patience, min_delta
        self.progress = Progress(quiet=True) if progress is None else progress
        self._now = now
        self._since = 0.0
        self.interrupts = self._make_interrupts()
        average = getattr(optimizer, "average", False)
        self.exchange = Exchange(task.group, self.interrupts, self._elapsed, average)
        task.exchange = self.exchange

    def fraction(self) -> float:
        """How much of the training is done, 0 to 1."""
        return self.budget.share(self.task, self.counters)

    def stopped_early(self) -> bool:
        """Whether the patience is at its end."""
        return self.patience is not None and self.counters.since_best >= self.patience

    # -- what a subclass says -----------------------------------------------------------------

    def _is_due(self, finished: bool) -> bool:
        """Whether to measure now; ``finished`` says that the budget is used up."""
        raise NotImplementedError

    def _measure(self, finished: bool) -> None:
        raise NotImplementedError

    def _stops(self) -> bool:
        """Whether to end although the budget is not used up."""
        return self.stopped_early()

    def _between(self) -> None:
        """Called after each step."""

    def _make_interrupts(self) -> Interrupts:
        """What is heard: all signals that end a program."""
        return Interrupts() if self.task.group.size == 1 else SharedInterrupts()

    # -- inside -------------------------------------------------------------------------------

    def _start_clock(self) -> None:
        self._since = self._now() - self.counters.seconds

    def _elapsed(self) -> float:
        return self._now() - self._since

    def _read_clock(self) -> None:
        self.counters.seconds = self.exchange.read_clock()

    def _loop(self) -> None:
        while True:
            finished = bool(self.budget.used_up(self.task, self.counters))
            if self._is_due(finished):
                self._measure(finished)
            if finished or self._stops():
                return
            self.interrupts.check()
            self._step()
            self._between()

    def _step(self) -> None:
        """Train on the next batch; where a pass over the data has ended, do nothing else."""
        c = self.counters
        # Its middle, so that neither the first step nor the last has a learning rate of zero.
        middle = self.budget.share(self.task, c, 0.5)
        batch = self.task.next()
        if batch is None:
            return
        if isinstance(self.schedule, optim.ConstantLR):
            self.schedule.step(middle)
        c.count(*self.task.step(batch, self.optimizer, self.clip, c.step + 1))
        c.seconds = self.exchange.seconds()
        self.progress.step(
            {
                "fraction": self.fraction(),
                "step": c.step,
                "seconds": c.seconds,
                "train_loss": c.mean_loss(),
                "val_loss": c.val_loss,
                "tokens_per_second": c.tokens / c.seconds if c.seconds > 0.0 else None,
            }
        )

    def _validate(self) -> Measured:
        result = self.task.evaluate(self.task.model, check=self.exchange.check)
        if not math.isfinite(result.loss):
            raise Diverged(f"the validation loss at step {self.counters.step} is {result.loss}")
        return result

    def _finite_model(self) -> dict[str, np.ndarray]:
        """The model's state dict."""
        model = self.task.model.state_dict()
        for name, array in model.items():
            if not np.isfinite(array).all():
                raise Diverged(f"{name} is not finite after step {self.counters.step}")
        return model
