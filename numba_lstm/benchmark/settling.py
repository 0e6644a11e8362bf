"""Waiting until plans are found: a plan is found by trying several ways, of which some are slow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..plans.registry import report

__all__ = ["searching", "settle"]


def searching() -> bool:
    """Whether this process still looks for a plan."""
    return any(one["state"] == "searching" for one in report())


def settle(run: Callable[[], Any], calls: int, seconds: float) -> int:
    """Run so many calls at least, and until all plans are found, but no longer than `seconds`.

    On 16 threads there are 30 plans, not five as on two: no number of calls is enough everywhere.

    Returns
    -------
    int
        How many calls were made.
    """
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end and (done < calls or searching()):
        run()
        done += 1
    return done
