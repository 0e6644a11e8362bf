"""Signals that any of several ranks hears, which end all of them between the same two steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from .interrupt import HEARD, Interrupted, Interrupts

__all__ = ["SharedInterrupts"]

# A signal may come to a rank twice: from mpiexec, and from the terminal or the batch system.
_MOMENT = 1.0


class SharedInterrupts(Interrupts):
    """As `Interrupts`, but that `check` raises only what all ranks know of.

    A signal that comes within a second after another one counts as the same. A later one is raised
    at once, where it comes; the other ranks then wait for this one, and the job has to be aborted.

    Parameters
    ----------
    signals
        Which ones are heard on this rank; what ranks tell each other does not depend on it.
    now
        The clock, in seconds.
    """

    def __init__(
        self, signals: Sequence[int] = HEARD, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(signals)
        self._agreed: int | None = None
        self._now, self._came = now, -math.inf

    def _hear(self, signum: int, frame: Any) -> None:
        before, self._came = self._came, self._now()
        if self._came - before < _MOMENT:
            return
        first = self._heard is None
        try:
            super()._hear(signum, frame)
        finally:
            if first:  # also where it was raised at once: the other ranks have to hear of it
                self._heard = signum

    def told(self) -> tuple[bool, ...]:
        """Which signals came to this rank: what is to be summed over all of them."""
        # Of all that can be: ranks that hear others would send messages of another length.
        return tuple(self._heard == signum for signum in HEARD)

    def agree(self, counts: Sequence[float]) -> None:
        """Have `check` raise what any rank heard, from the sums of what they `told`."""
        for signum, count in zip(HEARD, counts, strict=True):
            if count and self._agreed is None:
                self._agreed = signum

    def check(self) -> None:
        """Raise Interrupted if the ranks agreed that a signal has come."""
        if self._agreed is not None:
            raise Interrupted(self._agreed, between_steps=True)
