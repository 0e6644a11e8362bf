"""How many threads a kernel runs on."""

from __future__ import annotations

import contextlib
import math
import operator
import os

from . import tuning

__all__ = ["get_num_threads", "set_num_threads", "threads_for"]

_chosen: int | None = None


def _cgroup_quota() -> float:
    """CPUs that the container may use, math.inf without a limit. Versions 2 and 1 of cgroups."""
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
            quota_us = int(file.read())
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
            period_us = int(file.read())
        return math.inf if quota_us <= 0 else quota_us / period_us
    return math.inf


def most_threads() -> int:
    """``NUMBA_NUM_THREADS`` if set, as for numba itself, else the CPUs this process may run on."""
    with contextlib.suppress(KeyError, ValueError):
        return max(1, int(os.environ["NUMBA_NUM_THREADS"]))
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _told_by_openmp() -> int | None:
    """``OMP_NUM_THREADS``, which nearly every library with threads heeds; of "4,2" the 4."""
    try:
        told = int(os.environ["OMP_NUM_THREADS"].split(",")[0])
    except (KeyError, ValueError):
        return None
    return told if told > 0 else None


def _default() -> int:
    if "NUMBA_NUM_THREADS" in os.environ:
        return most_threads()
    if (told := _told_by_openmp()) is not None:
        return min(told, most_threads())
    return max(1, math.ceil(min(most_threads(), _cgroup_quota())))


def get_num_threads() -> int:
    """The number of threads that large kernels run on.

    Unless `set_num_threads` chose: ``NUMBA_NUM_THREADS`` if set, else ``OMP_NUM_THREADS`` if set
    (no more than there are CPUs), else the CPUs this process may run on (its affinity), no more
    than the container's CPU quota.
    """
    global _chosen
    if _chosen is None:
        _chosen = _default()
    return _chosen


def set_num_threads(n: int) -> None:
    """Run large kernels on `n` threads from now on, in every Python thread of this process.

    Results do not depend on it, to the bit.

    Parameters
    ----------
    n : int
        At least 1 and at most ``NUMBA_NUM_THREADS``, or the number of CPUs that this process may
        use where that is not set.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.
    """
    global _chosen
    try:
        if isinstance(n, bool):
            raise TypeError
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"n: expected an int, got {type(n).__name__}") from None
    most = most_threads()
    if not 1 <= n <= most:
        raise ValueError(
            f"n: expected 1 to {most} threads, got {n} (set NUMBA_NUM_THREADS before the start of "
            "the process to allow more)"
        )
    _chosen = n


def threads_now() -> int:
    """Threads for the largest kernel: `get_num_threads`, but quickly."""
    return _chosen or get_num_threads()


def threads_for(work: float) -> int:
    """Threads for a kernel that does `work` floating-point operations (or touches so many items).

    Small work stays on the calling thread: to wake another one costs more than it brings.
    """
    return 1 if work < tuning.MIN_PARALLEL_WORK else threads_now()
