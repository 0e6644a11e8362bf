"""Noticing that calls take much longer than they did: the machine became busy."""

from __future__ import annotations

import math

__all__ = ["Monitor"]

# Slow is what takes 1.4 times as long as expected. On a virtual machine whose two cores were far
# apart for minutes, 4000 steps of 64 units took 7.5 ms as a team instead of 4.0, and 5.5 on one
# thread. Five slow calls more than others in a row of calls say that more than half of them are
# slow, as the median of the last eight would, and cost one comparison a call. What takes eight
# times as long counts twice.
_SLOW, _VERY_SLOW, _CALLS = 1.4, 8.0, 5


class Monitor:
    """Counts slow calls.

    Attributes
    ----------
    limit : float
        Up to this time a call is not slow.
    slow : int
        Slow calls more than others, lately.
    """

    __slots__ = ("_very", "limit", "slow")

    def __init__(self) -> None:
        self.expect(math.inf)

    def expect(self, time: float) -> None:
        """From now on calls should take about so long."""
        self.limit, self._very = _SLOW * time, _VERY_SLOW * time
        self.slow = 0

    def note(self, time: float) -> bool:
        """Take the time of one call; whether most of the last ones were slow."""
        if time > self.limit:
            self.slow += 2 if time > self._very else 1
        elif self.slow:
            self.slow -= 1
        return self.slow >= _CALLS
