"""What the ranks of a training tell each other beside their gradients.

Whatever decides how the training goes on must be the same on all ranks: the loss, the clock, and
whether a signal came. Each step all of it goes in one message of a few numbers. Rank 0's clock is
everybody's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..distributed.errors import name_ranks
from ..distributed.group import Alone, Group
from .interrupt import Interrupts
from .shared_interrupts import SharedInterrupts
from .step import Diverged

__all__ = ["Exchange"]


class Exchange:
    """One training's messages between its ranks; none in a training of one process.

    Parameters
    ----------
    group
        The ranks.
    interrupts
        The signals that come to this rank; `SharedInterrupts` where there are several ranks.
    clock
        The seconds that the training has taken.
    average
        Whether each rank's loss is a mean of its own, of which that of all is the mean; otherwise
        they are parts, which are summed.
    """

    def __init__(
        self,
        group: Group | None = None,
        interrupts: Interrupts | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        average: bool = False,
    ) -> None:
        self.group = Alone() if group is None else group
        self.interrupts = Interrupts(()) if interrupts is None else interrupts
        self._clock, self._part = clock, 1.0 / self.group.size if average else 1.0
        self._seconds = 0.0

    def step(
        self, number: int, loss: float, weight: float = 0.0, tokens: int = 0
    ) -> tuple[float, float, int]:
        """Sum what the ranks found in a step, and hear of signals that came to any of them.

        Parameters
        ----------
        number
            The step's, for messages.
        loss
            This rank's part of the loss over the whole batch.
        weight, tokens
            This rank's part of them.

        Returns
        -------
        loss, weight, tokens
            Of the whole batch.

        Raises
        ------
        Diverged
            On all ranks, when a part of the loss is not finite.
        """
        if self.group.size == 1:
            return loss, weight, tokens
        assert isinstance(self.interrupts, SharedInterrupts)
        seconds = self._clock() if self.group.rank == 0 else 0.0
        told = self.interrupts.told()
        total, weight, count, self._seconds, *heard = self.group.sums(
            loss * self._part, weight, tokens, seconds, *told
        )
        self.interrupts.agree(heard)
        if not math.isfinite(total):
            raise Diverged(f"the loss at step {number} is {total}{self._whose(loss)}")
        return total, weight, int(count)

    def seconds(self) -> float:
        """The training's seconds after a step, the same on all ranks; no message."""
        return self._clock() if self.group.size == 1 else self._seconds

    def read_clock(self) -> float:
        """The training's seconds now, the same on all ranks."""
        if self.group.size > 1:
            (self._seconds,) = self.group.sums(self._clock() if self.group.rank == 0 else 0.0)
        return self.seconds()

    def check(self) -> None:
        """Raise Interrupted, on all ranks, if a signal has come to any of them."""
        if isinstance(self.interrupts, SharedInterrupts):
            self.interrupts.agree(self.group.sums(*self.interrupts.told()))
        self.interrupts.check()

    def _whose(self, loss: float) -> str:
        bad = self.group.all_gather(not math.isfinite(loss))
        return f" on {name_ranks(rank for rank, one in enumerate(bad) if one)}" if any(bad) else ""
