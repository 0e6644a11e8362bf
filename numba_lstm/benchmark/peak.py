"""What the machine can do, measured: the ceiling of the roofline."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

__all__ = ["bandwidth_gbs", "peak_gflops"]

_CALL = 0.004  # seconds in one call: short enough to fall between a noisy neighbour's turns
_BYTES = 1 << 28


def peak_gflops(threads: int, seconds: float, dtype: Any = np.float32) -> float:
    """FMA throughput of so many threads together, the best of many short runs, in GFLOP/s."""
    from ..kernels import peak

    dtype = np.dtype(dtype)
    work = peak.work_for(threads, dtype)
    per_round = 2.0 * threads * peak.CHAINS * (work.shape[1] // 3)
    rounds = 1000
    # On one thread: where threads must wait for each other on a busy core, any call is long.
    while _best(partial(peak.fma_loop, 1, work[:1], rounds), 0.0, 3) < _CALL:
        rounds *= 2
    best = _best(partial(peak.fma_loop, threads, work, rounds), seconds)
    return per_round * rounds / best / 1e9


def bandwidth_gbs(threads: int, seconds: float) -> float:
    """Memory that so many threads together can read, the best of several sweeps, in GB/s."""
    from ..kernels import peak

    array = np.ones(_BYTES // 4, np.float32)
    work = peak.work_for(threads, array.dtype)
    best = _best(partial(peak.read_loop, threads, array, work), seconds)
    return array.nbytes / best / 1e9


def _best(run: Any, seconds: float, least: int = 1) -> float:
    """The shortest of the calls in so many seconds, after one that does not count."""
    run()
    best = float("inf")
    end = time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        run()
        now = time.perf_counter()
        best = min(best, now - begin)
        least -= 1
        if now >= end and least <= 0:
            return best
