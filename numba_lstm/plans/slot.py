"""Room for one trial at a time in the process, and a bound for what all searches cost."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

from .search import Search

__all__ = ["Slot", "Trial"]

# What all searches of a process may cost: so many seconds, and this share of the time since the
# first one. A program whose sizes never come again would else try out plans for ever.
_COST_SECONDS, _COST_SHARE = 2.0, 0.05


class Trial(NamedTuple):
    """One call that a search has asked for."""

    search: Search
    entrant: int  # its number among the search's
    timed: bool
    began: float
    thread: int


class Slot:
    """Room for one trial at a time in the process, and what all of them have cost.

    Two at a time would disturb each other's times.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.trial: Trial | None = None
        self.lost = 0.0
        self.began: float | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[bool]:
        """Within it tuners may be changed, if it gives True. It never waits.

        Another thread may write plans to a slow disk meanwhile, or this one may, interrupted by a
        signal whose handler runs a layer.
        """
        mine = self.lock.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self.lock.release()

    def free(self, now: float) -> bool:
        """Whether a trial may begin. One that was never ended is forgotten after a minute.

        Or when its own thread asks again: a call that was left by an exception is over.
        """
        if self.began is None:
            self.began = now
        if self.lost > _COST_SECONDS + _COST_SHARE * (now - self.began):
            return False
        held = self.trial
        return held is None or held.thread == threading.get_ident() or now - held.began > 60


current = Slot()


def _after_fork() -> None:
    """In a child: whoever held the lock is not there any more."""
    global current
    current = Slot()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
