"""The plan of calls of one size: searched for, settled, watched, searched for again.

    SEARCHING ──> STEADY ──(slow calls)──> SEARCHING ──> BUSY ──(after a while)──> SEARCHING
                    ▲                                                                  │
                    └──────────────(the settled plan is fast again)────────────────────┘

The first search settles a plan, which may be kept on disk. It takes a few milliseconds, and another
program may have had a core for just as long. So another plan than the rule's is compared with that
again after 0.25 s and 2.25 s later. In STEADY calls are timed, and nothing more. When most of them
take twice as long as expected, the machine has become busy, and another plan, on fewer threads
mostly, may be the fastest meanwhile: that is searched for among all candidates and kept in memory
only. Where nothing was settled before, the rule's plan runs until a second search agrees with the
first, unless another one takes two thirds of the time; what runs then is compared with the rule's
plan as a settled one is in BUSY. In BUSY the settled plan is compared with
that one after 0.25 s, then after twice as long each time up to 10 s, until it is as fast as it was.

A call whose first time says that it is not worth it is SMALL, and runs by the rule for ever.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from .. import system
from . import slot
from .candidates import Candidate
from .monitor import Monitor
from .plan import Plan
from .search import MARGIN, Entrant, Search, Verdict
from .slot import Trial

__all__ = ["Known", "Tuner"]

# Seconds below which a call on one thread is not measured: timing would cost a share of it.
WORTH = 20e-6
# Seconds after which a busy machine is looked at again, at first and at last. Where nothing is
# settled yet, a whole search is repeated unless other processes are seen to need the CPUs, or at
# the latest after so many seconds.
_RETRY, _RETRY_MOST, _SEARCH_MOST = 0.25, 10.0, 300.0
# How often it is looked at whether other processes need the CPUs, and in which share of the looks
# they may: then times are those of a busy machine, however little they scatter.
_LOOK_SECONDS, _CROWDED = 0.005, 0.2
# After how many seconds the first search's choice is compared with the rule's plan again.
_CONFIRM_AFTER = (0.25, 2.25)
# What a disturbed search finds runs at once if the rule's plan took so many times as long, else
# when the next search finds it faster, too. After one search a step back of 20x8x64x128 had run on
# one thread for seconds, 1.26 times as long.
_CLEARLY = 1.5
# After a search there is none for so many times the seconds that its timed runs took. Runs that
# compiled or loaded machine code do not count: they take seconds, and what a disturbed search found
# after them would run for minutes.
_REST = 20
# The settled plan is as fast as it was, if it takes no more than so many times what it took.
_AS_FAST = 1.5
# A plan is firm once so many searches, of as many processes, have found it.
FIRM = 3


class Known(NamedTuple):
    """What is kept of a settled plan.

    Attributes
    ----------
    plan, rule : str
        Names of the settled plan and of the rule's.
    time, rule_time : float
        Seconds for a step.
    checks : int
        How many processes have found it.
    """

    plan: str
    rule: str
    time: float
    rule_time: float
    checks: int


class Tuner:
    """Hands out plans, and takes how long calls with them took.

    Parameters
    ----------
    candidates : sequence of Candidate
        The rule's first.
    known : Known, optional
        What an earlier process has found.
    settled : callable
        Called with a `Known` when there is something to keep on disk.
    clock : callable
        Seconds, as `time.perf_counter`.
    crowded : callable
        As `system.crowded`.

    Attributes
    ----------
    plan : Plan
        The best one known now, which calls run that are no trials.
    steady : bool
        Whether all calls run `plan`.
    small : bool
        Whether the rule's plan runs for ever, and nothing is measured.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        known: Known | None = None,
        settled: Callable[[Known], None] = lambda known: None,
        clock: Callable[[], float] = time.perf_counter,
        crowded: Callable[[int], bool] = system.crowded,
    ) -> None:
        self.candidates = list(candidates)
        self._keep, self._clock, self._crowded = settled, clock, crowded
        self._threads = max(one.plan.schedule.nt for one in candidates)
        self._looks = self._crowded_looks = 0
        self._looked_at = -math.inf
        self.monitor = Monitor()
        self.small = self.steady = self.busy = False
        self._names = [one.name for one in candidates]
        self._home = self._now = 0  # the settled candidate, and that of `plan`
        self.time = self.rule_time = math.inf
        self._checks = 0
        self._search: Search | None = None
        self._warmed: set[object] = set()
        self._searched: list[int] = []  # the candidates of the search's entrants
        self._has_home = False  # whether `_home` is more than a first guess
        self._to_confirm: list[float] = []  # seconds until each comparison of it that is to come
        self._retry = _RETRY
        self._patience, self._search_at = _RETRY, -math.inf
        self._in_vain = 0.0
        self._disturbed = 0  # what the last search found, if that was disturbed
        self._others = False  # whether by other processes, or a comparison since was
        self._retry_at = self._no_search_before = self._busy_until = -math.inf
        self._rule = self._names[0]
        if known is not None and known.plan in self._names:
            self._home = self._now = self._names.index(known.plan)
            self.time, self.rule_time = known.time, known.rule_time
            self._checks, self._rule = known.checks, known.rule
        self.plan: Plan = self.candidates[self._now].plan
        if self._checks >= FIRM or (self._checks and not self._home):
            self._has_home = True
            self._go_steady(self.time)
        else:
            if self._checks:
                self._begin_search([0, self._home])
            else:
                self._search_all()

    # -- calls ----------------------------------------------------------------------------------

    def begin(self) -> tuple[Plan, Trial | None]:
        """Give the plan to run now; with it the trial that it is, to be handed to `end`."""
        if self.steady:
            return self.plan, None
        now = self._clock()
        if self._search is None and now < self._retry_at:
            return self.plan, None
        with slot.current.taken() as mine:
            if not mine:
                return self.plan, None
            if self._search is not None and not self._search.live:
                self._recover()
            if self._search is None and self._to_confirm and now >= self._retry_at:
                self._begin_search([0, self._home])
            elif self._search is None and self.busy and now >= self._retry_at:
                self._look_again(now)
            if self._search is None or not slot.current.free(now):
                return self.plan, None
            self._look(now)
            index, timed = self._search.next()
            trial = Trial(self._search, index, timed, now, threading.get_ident())
            slot.current.trial = trial
            return self.candidates[self._searched[index]].plan, trial

    def _recover(self) -> None:
        """Go on after an exception, such as a Ctrl-C, in the middle of a search's last step."""
        if self._has_home:
            self._to_confirm.clear()
            self._go_steady(self.time)
        else:
            self._search_all()

    def end(self, trial: Trial, seconds: float, steps: float) -> None:
        """Take how long a trial of so many steps took."""
        with slot.current.taken() as mine:
            if not mine:
                return
            if slot.current.trial is trial:
                slot.current.trial = None
            if trial.search is not self._search:
                return
            if trial.timed and self._first_is_small(trial.entrant, seconds):
                self._go_small()
                return
            before = self._search.lost
            self._search.note(trial.entrant, seconds / steps, seconds)
            slot.current.lost += self._search.lost - before
            if self._search.verdict is not None:
                self._take(self._search.verdict)

    def watch(self, step: float) -> None:
        """Take the seconds for a step of a call that was no trial."""
        if self._search is None and self.monitor.note(step):
            with slot.current.taken() as mine:
                if mine:
                    self._slow(step)

    def is_small(self, steps: float) -> bool:
        """Whether a call of so many steps is not worth being timed, or not any more."""
        if self.small:
            return True
        return self.steady and self.plan.schedule.nt == 1 and self.time * steps < WORTH

    # -- states ---------------------------------------------------------------------------------

    def _first_is_small(self, index: int, seconds: float) -> bool:
        """Whether the rule's first time says that it is not worth it."""
        rule = self._searched[index] == 0 and not self._has_home
        return rule and self.candidates[0].plan.schedule.nt == 1 and seconds < WORTH

    def _go_small(self) -> None:
        self._search, self.small, self.steady = None, True, True
        self._now = self._home = 0
        self.plan = self.candidates[0].plan
        self.monitor.expect(math.inf)

    def _go_steady(self, expected: float) -> None:
        self.steady, self.busy, self._search = True, False, None
        self._run(self._home, expected)

    def _go_busy(self, index: int, expected: float) -> None:
        self._retry_at = self._rest()
        self._search_at = self._clock() + self._patience
        self._patience = min(2 * self._patience, _SEARCH_MOST)
        self.steady, self.busy, self._search = False, True, None
        self._run(index, expected)

    def _rest(self) -> float:
        """After a search: until when there is none. The next rest is twice as long."""
        assert self._search is not None
        now = self._clock()
        self._no_search_before = now + max(self._retry, _REST * self._search.spent)
        self._retry = min(2 * self._retry, _RETRY_MOST)
        return self._no_search_before

    def _run(self, index: int, expected: float) -> None:
        self._now, self.plan = index, self.candidates[index].plan
        self.monitor.expect(expected)

    def _begin_search(self, chosen: list[int], keep_first: bool = True) -> None:
        entrants = [_entrant(self.candidates[index].plan) for index in chosen]
        # One thread of two is late there as often as not: three rounds say little.
        careful = self.busy and (not self._has_home or len(chosen) == 2)
        self._searched = chosen
        self._search = Search(entrants, keep_first, self._warmed, careful)
        self._looks = self._crowded_looks = 0
        self.steady = False

    def _search_all(self) -> None:
        self._begin_search(list(range(len(self.candidates))))

    def _look(self, now: float) -> None:
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._looks += 1
            self._crowded_looks += self._crowded(self._threads)

    def _was_crowded(self) -> bool:
        """Whether other processes needed the CPUs during the last search."""
        return self._crowded_looks > _CROWDED * self._looks

    def _slow(self, step: float) -> None:
        """Most of the last calls were slow: search anew, if the last search is long enough ago.

        Where that one found nothing faster, longer ago, unless calls became slower still. Calls may
        be slow because of what the program does between them.
        """
        self.monitor.slow = 0
        if self._to_confirm:
            return
        now = self._clock()
        if self._search is not None or now < self._no_search_before:
            return
        if self._has_home and now > self._busy_until + 2 * _RETRY_MOST:  # it was quiet for long
            self._retry, self._patience, self._in_vain = _RETRY, _RETRY, 0.0
        self._busy_until = now
        if now < self._search_at and step <= 2 * self._in_vain:
            return
        self.busy = True
        if not self._has_home:
            self._search_all()
            return
        # The fewest threads first: the others may turn out hopeless by the first one of them.
        others = [n for n in range(len(self.candidates)) if n != self._now]
        others.sort(key=lambda n: self.candidates[n].plan.schedule.nt)
        self._begin_search([self._now, *others], keep_first=False)

    def _look_again(self, now: float) -> None:
        """After a while of BUSY: compare the settled plan with the one that runs meanwhile.

        Where nothing is settled, because the first search was disturbed, it is the rule's plan that
        is compared, and the whole search is repeated more and more seldom.
        """
        if not self._has_home:
            free = self._others and not self._crowded(self._threads)
            if free or now >= self._search_at:
                self._search_all()
                return
        if self._now != self._home:
            self._begin_search([self._home, self._now], keep_first=False)
        elif self._has_home:
            self._go_steady(self.time)
        else:
            self._retry_at = min(self._search_at, now + self._retry)

    def _take(self, verdict: Verdict) -> None:
        """A search is over."""
        best = self._searched[verdict.best]
        # Of two candidates a comparison is a whole search.
        comparison = len(self._searched) < len(self.candidates)
        if not self._has_home and not self._checks and comparison:
            self._compared(best, verdict)
        elif not self._has_home:
            self._settle(best, verdict)
        elif self._to_confirm:
            self._confirm(best, verdict)
        elif best == self._home and verdict.time <= _AS_FAST * self.time:
            self._busy_until = self._clock()
            self._rest()
            # What calls take now is not slow: else they would be compared again and again.
            self._go_steady(max(self.time, verdict.time))
        else:
            self._in_vain = verdict.time if best == self._home else 0.0
            self._go_busy(best, verdict.time)

    def _settle(self, best: int, verdict: Verdict) -> None:
        """The first search of this process is over."""
        confirmed = self._checks and best == self._home
        quiet = verdict.quiet and not self._was_crowded()
        if self._checks and not confirmed and quiet:
            # An earlier process found another one: all candidates again.
            self._checks, self._home, self._now = 0, 0, 0
            self._search_all()
            return
        if not quiet:
            time, self._others = verdict.time, self._was_crowded()
            if self._checks:  # the earlier process knew better
                self._has_home = True
            else:
                best, time = self._found_twice(best, verdict)
            self._in_vain = time
            self._go_busy(best, time)
            return
        self._has_home, self._home = True, best
        self._checks = self._checks + 1 if confirmed else 1
        self._rule = self._names[0]
        self.time, self.rule_time = verdict.time, verdict.first_time
        self._keep(self.known())
        self._to_confirm = list(_CONFIRM_AFTER) if best and not confirmed else []
        self._go_on()

    def _compared(self, best: int, verdict: Verdict) -> None:
        """The plan that runs, of a disturbed search, was compared with the rule's once more."""
        self._others = self._others or self._was_crowded()
        self._retry_at = self._rest()
        self._search, self._disturbed, self._in_vain = None, best, verdict.time
        self._run(best, verdict.time)

    def _found_twice(self, best: int, verdict: Verdict) -> tuple[int, float]:
        """What is to run after a disturbed search of all candidates, and how long it took.

        What the search found, if it is clearly faster than the rule's plan; else what the one
        before found, if it is faster this time, too; else the rule's.
        """
        before, self._disturbed = self._disturbed, best
        if verdict.first_time >= _CLEARLY * verdict.time:
            return best, verdict.time
        assert self._search is not None
        times = self._search.times[before]
        if before and len(times) > 1 and median(times) <= (1 - MARGIN) * verdict.first_time:
            self._disturbed = before
            return before, median(times)
        return 0, verdict.first_time

    def _confirm(self, best: int, verdict: Verdict) -> None:
        """The settled plan was compared with the rule's once more."""
        del self._to_confirm[0]
        if best != self._home:
            self._home, self.time, self.rule_time = best, verdict.time, verdict.first_time
            self._to_confirm = []
            self._keep(self.known())
        self._go_on()

    def _go_on(self) -> None:
        """After the settled plan was found: steady, or until it is compared again."""
        self._go_steady(self.time)
        if self._to_confirm:
            self.steady = False
            self._retry_at = self._clock() + self._to_confirm[0]

    def known(self) -> Known:
        """What is settled, for the disk and for people."""
        name = self._names[self._home]
        return Known(name, self._rule, self.time, self.rule_time, self._checks)

    @property
    def name(self) -> str:
        """The name of `plan`."""
        return self._names[self._now]

    @property
    def settled(self) -> bool:
        """Whether there is a plan that was the fastest on a quiet machine."""
        return math.isfinite(self.time)

    def state(self) -> str:
        """Tell in a word: small, searching, busy or steady."""
        if self.small:
            return "small"
        if self._search is not None and not self._to_confirm:
            return "searching"
        return "busy" if self.busy else "steady"


def _entrant(plan: Plan) -> Entrant:
    nt, columns, _ = plan.schedule
    form = "rows" if columns == 1 else "panels" if columns == nt else "grid"
    rest = plan[1:]
    return Entrant(nt, (form, rest) if nt > 1 else ("rows", rest), (nt > 1, plan.source))
