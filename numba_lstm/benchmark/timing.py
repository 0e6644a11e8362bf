"""Timing calls of a function: blocks of calls, each timed by itself, and waiting until idle."""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Block", "time_calls", "wait_until_idle", "warm_up"]

# A call that takes longer than this has forgotten whatever stood in the caches before it.
_LONG_CALL = 0.1


@dataclass(frozen=True)
class Block:
    """How long the calls of a block took, in seconds."""

    median: float
    p99: float
    calls: int

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def _repeat(run: Callable[[], Any], seconds: float, least: int) -> list[float]:
    clock = time.perf_counter
    times = []
    end = clock() + seconds
    while True:
        begin = clock()
        run()
        now = clock()
        times.append(now - begin)
        if now >= end and len(times) >= least:
            return times


def warm_up(run: Callable[[], Any], seconds: float) -> float:
    """Call for a while, twice at least; gives the time of one warm call."""
    return statistics.median(_repeat(run, seconds, 2)[1:])


def time_calls(run: Callable[[], Any], seconds: float, warm_seconds: float, call: float) -> Block:
    """Time calls for `seconds`, one at least.

    Parameters
    ----------
    run : callable
    seconds, warm_seconds : float
        Calls for `warm_seconds` come first and do not count: another process had the caches.
    call : float
        How long a call takes, about. Long calls need no such warming.
    """
    with _no_collection():
        if call < _LONG_CALL:
            _repeat(run, warm_seconds, 1)
        times = sorted(_repeat(run, seconds, 1))
    place = min(len(times) - 1, int(0.99 * len(times)))
    return Block(statistics.median(times), times[place], len(times))


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def wait_until_idle(limit: float = 0.5, step: float = 0.004) -> float:
    """Sleep until the threads of this process no longer spin; gives the seconds waited.

    Torch's threads spin for about 5 ms after a region and onnxruntime's for 50: as long as they do,
    whoever is measured next does not have the cores to itself.
    """
    begin = time.perf_counter()
    while True:
        used = time.process_time()
        time.sleep(step)
        waited = time.perf_counter() - begin
        if time.process_time() - used < 0.1 * step or waited > limit:
            return waited
