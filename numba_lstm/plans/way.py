"""What a call looks up: its plan, and who wants to know how long it takes."""

from __future__ import annotations

from .plan import Plan
from .slot import Trial
from .tuner import Tuner

__all__ = ["Way"]


class Way:
    """How calls of one shape run.

    Where `tuner` is None they run `plan`, the rule's or a settled one, and nothing is timed.
    Otherwise each one asks `begin` for its plan and tells `end` its time.

    Attributes
    ----------
    plan : Plan
        Without a tuner: what runs.
    tuner : Tuner or None
    steps : float
        By which a call's time is divided, so that calls of other lengths can be compared.
    """

    __slots__ = ("plan", "steps", "tuner")

    def __init__(self, plan: Plan, tuner: Tuner | None = None, steps: float = 1.0) -> None:
        self.plan, self.tuner, self.steps = plan, tuner, steps

    def begin(self) -> tuple[Plan, Trial | None]:
        """Give the plan to run now; with it the trial that it is, where it is one."""
        tuner = self.tuner
        if tuner is None:
            return self.plan, None
        if tuner.steady:
            return tuner.plan, None
        return tuner.begin()

    def end(self, trial: Trial | None, seconds: float) -> None:
        """Take the seconds of a call that `begin` gave the plan for."""
        tuner = self.tuner
        if tuner is None:
            return
        if trial is not None:
            tuner.end(trial, seconds, self.steps)
            if tuner.is_small(self.steps):
                self.plan, self.tuner = tuner.plan, None
            return
        step = seconds / self.steps
        monitor = tuner.monitor
        if step > monitor.limit or monitor.slow:
            tuner.watch(step)
