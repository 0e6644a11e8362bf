"""What the tests of plans share: a machine that exists on paper only, and plans that are forced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from numba_lstm import threads, tuning
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.plans import registry, switch
from numba_lstm.plans.candidates import Candidate, candidates
from numba_lstm.plans.monitor import Monitor
from numba_lstm.plans.plan import Plan, Sizes
from numba_lstm.plans.tuner import Tuner
from numba_lstm.plans.way import Way

SIZES = Sizes(
    "infer", "lstm", "float32", inputs=64, hidden=256, size=256, batch=16, steps=64, panels=16,
    threads=4, free_source=True, ragged=False, tokens=False,
)  # fmt: skip


def made_up(name: str, nt: int) -> Candidate:
    """A candidate of some name; the name alone tells its plan from others'."""
    return Candidate(name, Plan(Schedule(nt, 1), h_column=hash(name)))


class Machine:
    """Runs calls of one size, each plan in its time, under a clock that only these calls move.

    Parameters
    ----------
    times : mapping
        Seconds of a call by the candidate's name, the rule's first; names end in ``:threads``.
    noise : float
        By which share of itself a time is lengthened at most.
    compiles : float
        Seconds that the first run on one thread takes more, and the first one on several.
    """

    def __init__(
        self, times: Mapping[str, float], noise: float = 0.0, compiles: float = 0.0, **about: Any
    ) -> None:
        self.times, self.noise = dict(times), noise
        self._compile = {True: compiles, False: compiles}
        self.rng = np.random.default_rng(0)
        self.now = 100.0
        self.kept: list[Any] = []
        self.crowd = False
        self.ran: list[str] = []
        self.candidates = [made_up(name, int(name.split(":")[1])) for name in times]
        self.names = {one.plan: one.name for one in self.candidates}
        self.tuner = Tuner(
            self.candidates, about.get("known"), self.kept.append, lambda: self.now,
            lambda threads: self.crowd,
        )  # fmt: skip
        self.way = Way(self.candidates[0].plan, self.tuner, 1.0)

    def call(self, times: int = 1) -> float:
        """Run so many calls; the seconds that they took."""
        began = self.now
        for _ in range(times):
            plan, trial = self.way.begin()
            name = self.names[plan]
            seconds = self.times[name] * (1 + self.noise * self.rng.random())
            seconds += self._compile.pop(plan.schedule.nt > 1, 0.0)
            self.now += seconds
            self.way.end(trial, seconds)
            self.ran.append(name)
        return self.now - began

    @property
    def plan(self) -> str:
        return self.names[self.tuner.plan]


class Forced:
    """Stands for a tuner that gives one plan for ever."""

    steady, small, monitor = True, False, Monitor()

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def is_small(self, steps: float) -> bool:
        return False


@contextlib.contextmanager
def forced(number: int, most: int, ran: dict[str, set[str]]) -> Iterator[None]:
    """Within it calls on up to `most` threads run the candidate of this number, or modulo theirs.

    Their names go into `ran`, by the kind of call.
    """

    def tuner_for(sizes: Sizes, rule: Plan, axes: Any) -> Any:
        some = candidates(sizes, rule, axes)
        chosen = some[number % len(some)]
        ran.setdefault(sizes.kind, set()).add(chosen.name)
        return Forced(chosen.plan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "tuner_for", tuner_for)
        patch.setattr(switch, "on", True)
        patch.setattr(tuning, "MIN_PARALLEL_WORK", 0)
        patch.setattr(threads, "_chosen", most)
        yield


@contextlib.contextmanager
def measured(folder: Any) -> Iterator[None]:
    """Within it plans are measured, by a process that knows nothing, and kept in this folder."""
    from numba_lstm.plans import store

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switch, "on", True)
        patch.setattr(registry, "_tuners", {})
        patch.setattr(store, "folder", lambda: str(folder))
        patch.setattr(store, "_read", None)
        patch.setattr(store, "_new", {})
        patch.setattr(store, "_at_exit", True)
        yield
