"""How long a training lasts, and where in it a step stands."""

from __future__ import annotations

from dataclasses import dataclass

from .counters import Counters
from .task import Task

__all__ = ["Budget"]


@dataclass
class Budget:
    """The length of a training; where several are set, it ends with the first one.

    Attributes
    ----------
    steps, epochs
        Steps, and whole passes over the data.
    minutes
        Of the counters' time.
    """

    steps: int | None = None
    epochs: int | None = None
    minutes: float | None = None

    def used_up(self, task: Task, counters: Counters) -> str:
        """The name of what is used up; "" while nothing is."""
        if self.steps is not None and counters.step >= self.steps:
            return "steps"
        if self.epochs is not None and task.passes >= self.epochs:
            return "epochs"
        if self.minutes is not None and counters.seconds / (60.0 * self.minutes) >= 1.0:
            return "minutes"
        return ""

    def share(self, task: Task, counters: Counters, ahead: float = 0.0) -> float:
        """How much of the training is done, 0 to 1.

        ``ahead`` is a part of a step, which counts as done. Within the first pass over data of
        unknown length an epoch counts from its end.
        """
        shares = [0.0]
        if self.steps is not None:
            shares.append((counters.step + ahead) / self.steps)
        if self.epochs is not None:
            within = min((task.place + ahead) / task.length, 1.0) if task.length else 0.0
            shares.append((task.passes + within) / self.epochs)
        if self.minutes is not None:
            shares.append(counters.seconds / (60.0 * self.minutes))
        return min(max(shares), 1.0)
