"""Finding the fastest of some candidates by timing calls that are made anyway.

Rounds go over all candidates, alternating, there and back, so that whatever else happens on the
machine strikes all of them. A candidate that is much slower than the best is dropped at once. The
medians of three to five rounds decide; of up to nine where calls are short, or where the times of
one and the same plan scatter, as they do on a busy machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

__all__ = ["MARGIN", "Entrant", "Search", "Verdict"]

# A candidate slower than the best so far by this factor is dropped after its first time, and by the
# next one at the end of a round.
_DROP, _DROP_LATER = 1.5, 1.2
# One that is slower by this factor: others on as many threads or more are not tried any more. On a
# busy machine each of them may wait for whole time slices.
_HOPELESS = 4.0
_ROUNDS, _ROUNDS_IF_CLOSE, _ROUNDS_IF_NOISY = 3, 5, 9
_CLOSE = 0.1
# Another plan than the first must be faster by more than this share.
MARGIN = 0.03
# Times that scatter by more than this share are those of a busy machine.
_NOISE = 0.25
# Seconds. A shorter call is timed only after another one of the same plan: how long it takes
# depends on which weights the caches of which core hold, and another plan leaves others there.
_SHORT = 1e-3
# What may be lost against the first candidate: so many of its calls, or seconds, whichever is less;
# but small calls may lose as much as a few interruptions by the system cost.
_LOST_CALLS, _LOST_SECONDS, _LOST_AT_LEAST = 20, 3.0, 0.005


class Entrant(NamedTuple):
    """What the search has to know of a candidate.

    Attributes
    ----------
    threads : int
    family : object
        Candidates of one family differ in the number of threads alone. Where fewer are much slower,
        still fewer are not tried.
    warms : object
        What its first run brings into being: machine code, memory. The first run that brings
        something new is not timed.
    """

    threads: int
    family: object
    warms: object


class Verdict(NamedTuple):
    """What a search found.

    Attributes
    ----------
    best : int
        Which candidate.
    time, first_time : float
        Its median, and that of the first candidate.
    quiet : bool
        Whether times scattered little enough to hold for other days, too.
    """

    best: int
    time: float
    first_time: float
    quiet: bool


class Search:
    """One comparison. Ask `next` what to run and tell `note` how long it took, until `verdict`.

    Parameters
    ----------
    entrants : sequence of Entrant
        The first one stands unless another is clearly faster.
    keep_first : bool
        Whether the first is measured to the end, however slow. It tells how much times scatter.
    warmed : set
        What has been brought into being before; added to.
    careful : bool
        Whether the machine was busy a while ago: as many rounds as if times scattered. Three may
        look alike by chance.
    """

    def __init__(
        self,
        entrants: Sequence[Entrant],
        keep_first: bool = True,
        warmed: set[object] | None = None,
        careful: bool = False,
    ) -> None:
        self._entrants = list(entrants)
        self._keep_first, self._careful = keep_first, careful
        self._warmed = set() if warmed is None else warmed
        self.times: list[list[float]] = [[] for _ in entrants]
        self._dropped: set[int] = set()
        self._round = 1
        self._queue = list(range(len(entrants)))
        self._previous = -1  # whose run was the last one
        self._short = False
        self.spent = 0.0  # seconds of all runs but those that bring something new
        self.lost = 0.0  # of them, against running the first one all the time
        self.verdict: Verdict | None = None

    @property
    def live(self) -> bool:
        """Whether there is a candidate to run. Not after the verdict, or an exception before it."""
        return self.verdict is None and bool(self._queue)

    def next(self) -> tuple[int, bool]:
        """Give the candidate to run now, and whether it ran before or brings nothing new."""
        index = self._queue[0]
        return index, self._entrants[index].warms in self._warmed

    def note(self, index: int, time: float, seconds: float | None = None) -> None:
        """Take the time of one run of a candidate that `next` gave.

        Parameters
        ----------
        index : int
        time : float
            Seconds by size, so that calls of different lengths can be compared.
        seconds : float, optional
            The whole call, of which the cost of the search is counted.
        """
        if self.verdict is not None or not self._queue or self._queue[0] != index:
            return  # of a call that was overtaken
        entrant = self._entrants[index]
        after_itself, self._previous = self._previous == index, index
        if entrant.warms not in self._warmed:
            self._warmed.add(entrant.warms)
            return
        seconds = time if seconds is None else seconds
        self.spent += seconds
        self._short = seconds < _SHORT
        if self._short and not after_itself:
            return
        del self._queue[0]
        self.times[index].append(time)
        best = min(median(times) for times in self.times if times)
        first = median(self.times[0]) if self.times[0] else best
        call = seconds * first / time if time > 0 else 0.0
        self.lost += max(0.0, seconds - call)
        if len(self.times[index]) == 1 and time > _DROP * best:
            self._drop(index, time > _HOPELESS * best)
        if self.lost > max(_LOST_AT_LEAST, min(_LOST_CALLS * call, _LOST_SECONDS)):
            self._finish()
            return
        self._queue = [one for one in self._queue if one not in self._dropped]
        if not self._queue:
            self._end_round(best)

    def _drop(self, index: int, hopeless: bool) -> None:
        slow = self._entrants[index]
        for other, one in enumerate(self._entrants):
            # What has run already is judged by its own times.
            untried = not self.times[other]
            fewer = one.family == slow.family and one.threads < slow.threads
            fewer = fewer and slow.threads < self._entrants[0].threads
            more = hopeless and slow.threads > 1 and one.threads >= slow.threads
            if other == index or (untried and (fewer or more)):
                self._dropped.add(other)
        self._spare_first()

    def _spare_first(self) -> None:
        if self._keep_first:
            self._dropped.discard(0)

    def _end_round(self, best: float) -> None:
        for index, times in enumerate(self.times):
            if index not in self._dropped and median(times) > _DROP_LATER * best:
                self._dropped.add(index)
        # A first plan that is far behind is no use as a measure of noise.
        if len(self.times[0]) < 2 or median(self.times[0]) < 3 * best:
            self._spare_first()
        alive = [n for n in range(len(self._entrants)) if n not in self._dropped]
        rounds = _ROUNDS
        if self._careful or self._short or self._scatter(alive) > _NOISE:
            rounds = _ROUNDS_IF_NOISY
        elif len(alive) > 1:
            first, second = sorted(median(self.times[n]) for n in alive)[:2]
            if second < first * (1 + _CLOSE):
                rounds = _ROUNDS_IF_CLOSE
        if self._round >= rounds or not alive:
            self._finish()
            return
        self._round += 1
        self._queue = alive if self._round % 2 else alive[::-1]

    def _scatter(self, alive: Sequence[int]) -> float:
        """By which share the times of one plan differ; of nine but for the slowest.

        The most of three: the first candidate, if it is still measured, and the fastest ones.
        """
        fastest = sorted((n for n in alive if n), key=lambda n: median(self.times[n]))
        some = [*(n for n in (0,) if n in alive or not alive), *fastest[:2]]
        return max(self._scatter_of(n) for n in some)

    def _scatter_of(self, index: int) -> float:
        times = sorted(self.times[index])
        if not times or times[0] <= 0:
            return math.inf
        return (times[len(times) * 7 // 8] - times[0]) / median(times)

    def _finish(self) -> None:
        """Decide. What was timed once is taken only where it was faster by half."""
        least = min(self.times[0], default=math.inf)
        tried = [
            n
            for n, times in enumerate(self.times)
            if len(times) > 1 or (times and (n == 0 or times[0] * _DROP < least))
        ]
        medians = {n: median(self.times[n]) for n in tried}
        best = min(tried, key=medians.__getitem__)
        first = median(self.times[0]) if self.times[0] else math.inf
        if 0 in medians and medians[best] > (1 - MARGIN) * first:
            best = 0
        alive = [n for n in tried if n not in self._dropped]
        quiet = self._scatter(alive) <= _NOISE and max(map(len, self.times)) >= _ROUNDS
        self.verdict = Verdict(best, medians[best], first, quiet)
