"""How many threads a kernel runs on, and the rules under which numba's pool may be entered."""

from __future__ import annotations

import contextlib
import math
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterator

from . import tuning

__all__ = ["get_num_threads", "pool", "set_num_threads", "threads_for"]

_chosen: int | None = None
_forked = False
_workqueue_lock = threading.Lock()


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
    """The most threads that numba will launch: its own rule, found without importing it."""
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
    (no more than numba will launch), else the CPUs this process may run on (its affinity), no more
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
    """Threads for the largest kernel: `get_num_threads`, but 1 in the child of a fork."""
    return 1 if _forked else _chosen or get_num_threads()


def threads_for(work: float) -> int:
    """Threads for a kernel that does `work` floating-point operations (or touches so many items).

    Small work stays on the calling thread: waking the pool costs more than it brings.
    """
    if _forked or work < tuning.MIN_PARALLEL_WORK:
        return 1
    return get_num_threads()


@contextlib.contextmanager
def _masked(nt: int) -> Iterator[None]:
    import numba

    before = numba.get_num_threads()
    if before == nt:
        yield
        return
    numba.set_num_threads(nt)
    try:
        yield
    finally:
        numba.set_num_threads(before)


_layer: str | None = None
_get_mask: Callable[[], int] | None = None  # numba.get_num_threads, once the pool is up


def ready(nt: int) -> bool:
    """Whether a kernel may run on `nt` threads right now, without entering `pool`."""
    return _get_mask is not None and _get_mask() == nt


@contextlib.contextmanager
def pool(nt: int) -> Iterator[None]:
    """Within it this Python thread may run a parallel kernel on `nt` threads.

    Where numba found neither OpenMP nor TBB, its own workqueue aborts the process when two Python
    threads enter it at once: there they take turns.
    """
    with _masked(nt):
        if threading_layer() == "workqueue":
            with _workqueue_lock:
                yield
        else:
            yield


def threading_layer() -> str:
    """'omp', 'tbb' or 'workqueue': what numba's parallel kernels run on here."""
    global _layer, _get_mask
    if _layer is None:
        import numba
        from numba.np.ufunc import parallel

        parallel._launch_threads()
        _layer = numba.threading_layer()
        if _layer != "workqueue":
            # Not numba.get_num_threads, which first sees to it that the pool is up: 0.6 µs a call.
            _get_mask = vars(parallel)["_get_num_threads"]
    return _layer


def run_at_once() -> bool:
    """Whether the parts of a parallel loop, one a thread, run at the same time.

    OpenMP's do, each on a thread of its own, unless it was told to start fewer than it is asked
    for. TBB's may be run one after another.
    """
    return _failed_teams < 3 and not _told_to_start_fewer() and threading_layer() == "omp"


def count_failed_team() -> None:
    """Count that the parts of a loop did not run at once; after three times `run_at_once` is False.

    Twice is forgiven, because the machine may have been busy. Each attempt costs 3 ms.
    """
    global _failed_teams
    _failed_teams += 1


_failed_teams = 0


def _told_to_start_fewer() -> bool:
    if os.environ.get("OMP_DYNAMIC", "").strip().lower() in ("true", "1"):
        return True
    with contextlib.suppress(KeyError, ValueError):
        return int(os.environ["OMP_THREAD_LIMIT"]) < get_num_threads()
    return False


def _after_fork() -> None:
    # GNU OpenMP cannot be entered in the child of a process that has used it: such a child is
    # killed. Its kernels run serially instead, and give the same bits.
    global _forked, _workqueue_lock
    _workqueue_lock = threading.Lock()
    pools = sys.modules.get("numba.np.ufunc.parallel")
    if pools is not None and getattr(pools, "_is_initialized", True):
        _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
