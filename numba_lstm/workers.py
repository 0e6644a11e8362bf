"""The threads that help the calling one: started when first needed, in each process anew.

Each is a daemon thread of Python that runs `parts.serve`, compiled code without the GIL, until the
interpreter ends. Without work they sleep.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from . import threads, tuning
from .time_slice import ask_for_short_slices

__all__ = ["Crew", "count", "crew"]

_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
# What a debugger or the system sends to the thread that has a fault.
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP")


# Places in the array. A LINE apart is what different threads write: two lines of a cache, of which
# some processors fetch pairs.
LINE = 16
JOB, LEAVE, NT, PIECES, FUNCTION, DATA = range(6)
DONE = LINE
OWNER, WOKEN, ALONE_UNTIL, LOST, FINE_UNTIL, LAST_LATE = range(2 * LINE, 2 * LINE + 6)
# What is written once: how many parts there may be, how many workers there are, how long to wait in
# pauses, in ticks what counts as late, what is credited, for how long parts are cut and when a
# worker offers its core, and the addresses of the system's functions.
CAPACITY, WORKERS, SPINS, PATIENCE, LONG_PATIENCE, LATE, ALONE, CREDIT, FINE, OFFER = range(
    3 * LINE, 3 * LINE + 10
)
SLEEP, WAKE = range(3 * LINE + 10, 3 * LINE + 12)
# Of each piece of a part and of each worker: its cell, what its sleep needs, and memory for a
# semaphore.
SEATS, SEAT = 4 * LINE, 3 * LINE
CELL, SLEEPING, HANDLE, SEMAPHORE = 0, LINE, LINE + 1, 2 * LINE


def _size(capacity: int) -> int:
    """Items of the array of a crew for so many threads."""
    return SEATS + SEAT * capacity * tuning.PIECES_OF_PART


class _Semaphores:
    """The system's semaphores: addresses of the functions, and how one is made.

    Compiled code calls ``sleep(handle, -1)`` and ``wake(handle, 1)``.

    Raises
    ------
    AttributeError, OSError
        Where the system has none.
    """

    def __init__(self) -> None:
        if sys.platform == "win32":
            system, names = ctypes.windll.kernel32, ("WaitForSingleObject", "ReleaseSemaphore")
        elif sys.platform == "darwin":
            names = ("dispatch_semaphore_wait", "dispatch_semaphore_signal")
            system = ctypes.CDLL(None)
        else:
            system, names = ctypes.CDLL(None), ("sem_wait", "sem_post")
        self._system: Any = system
        functions = [ctypes.cast(getattr(system, name), ctypes.c_void_p).value for name in names]
        self.sleep, self.wake = (address or 0 for address in functions)

    def handle(self, memory: int) -> int:
        """Make one, in 128 bytes of memory if the system wants it there."""
        if sys.platform == "win32":
            create: Any = self._system.CreateSemaphoreW
            create.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_long, ctypes.c_void_p]
            create.restype = ctypes.c_void_p
            made = create(None, 0, 2**31 - 1, None)
        elif sys.platform == "darwin":
            create = self._system.dispatch_semaphore_create
            create.argtypes, create.restype = [ctypes.c_long], ctypes.c_void_p
            made = create(0)
        else:
            made = memory if self._system.sem_init(ctypes.c_void_p(memory), 0, 0) == 0 else 0
        if not made:
            raise OSError("no semaphore")
        return made


class Crew:
    """The array that callers and workers share, and the workers.

    Parameters
    ----------
    capacity : int
        How many threads there may be.
    run : callable (address, nt, i), optional
        What a worker does; `parts.serve` if left out.

    Raises
    ------
    AttributeError, OSError
        Where the system has no semaphores that compiled code can call.
    """

    def __init__(self, capacity: int, run: Callable[[int, int, int], Any] | None = None) -> None:
        self._run = run or _find_serve()
        self.workers: list[threading.Thread] = []
        semaphores = _Semaphores()
        count, line = _size(capacity), 8 * LINE
        memory = ctypes.create_string_buffer(8 * count + line)
        # Never freed: a thread may still compute while the interpreter ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
        self.address = -(-ctypes.addressof(memory) // line) * line
        self.words = (ctypes.c_int64 * count).from_address(self.address)
        self.words[CAPACITY] = capacity
        self.words[SLEEP], self.words[WAKE] = semaphores.sleep, semaphores.wake
        for i in range(capacity):
            seat = SEATS + SEAT * i
            self.words[seat + HANDLE] = semaphores.handle(self.address + 8 * (seat + SEMAPHORE))
        pause, tick = _seconds_of(_run_pauses)
        self.words[SPINS] = round(tuning.WORKER_SPINS / pause)
        self.words[PATIENCE] = round(tuning.TEAM_PATIENCE / pause)
        self.words[LONG_PATIENCE] = round(tuning.TEAM_PATIENCE_ASLEEP / pause)
        self.words[LATE] = round(tuning.LATE / tick)
        self.words[ALONE] = tuning.ALONE
        self.words[CREDIT] = round(tuning.CREDIT / tick)
        self.words[FINE] = round(tuning.FINE / tick)
        self.words[OFFER] = round(tuning.YIELD_AFTER / tick)
        self.words[LOST] = -self.words[CREDIT]  # a new thread's first job may take long

    def grow(self, nt: int) -> None:
        """Have workers for `nt` threads, or as many as can be had."""
        wanted = min(nt, self.words[CAPACITY]) - 1
        with contextlib.suppress(RuntimeError):  # no more threads, or the interpreter ends
            while len(self.workers) < wanted:
                i = len(self.workers) + 1
                worker = threading.Thread(
                    target=self._serve, args=(i,), name=f"numba_lstm-{i}", daemon=True
                )
                self.workers.append(worker)  # first: an interrupt may come right after the start
                try:
                    worker.start()
                except RuntimeError:
                    self.workers.pop()
                    raise
        self.words[WORKERS] = len(self.workers)

    def _serve(self, i: int) -> None:
        if hasattr(signal, "pthread_sigmask"):  # signals are for the program's own threads
            faults = {getattr(signal, name, None) for name in _FAULTS}
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)
        ask_for_short_slices()
        self._run(self.address, 0, i)

    def retire(self) -> None:
        """Let all workers leave, and wait for that, but not for long."""
        self.words[LEAVE] = 1
        wake = _CALL(self.words[WAKE])
        for i in range(1, len(self.workers) + 1):
            seat = SEATS + SEAT * i
            self.words[seat + SLEEPING] = 0
            wake(self.words[seat + HANDLE], 1, 0)
        for worker in self.workers:
            worker.join(1.0)


def _seconds_of(run_pauses: Callable[[int, int], int]) -> tuple[float, float]:
    """How long `simd.pause` and a tick of `simd.ticks` take: of five measurements the least."""
    count, best, ticks = 1_000, float("inf"), 0
    run_pauses(1, 1)
    for _ in range(5):
        start = time.perf_counter()
        counted = run_pauses(1, count)
        seconds = time.perf_counter() - start
        if seconds < best:
            best, ticks = seconds, counted
    best = max(best, 1e-6)
    return best / count, best / max(1, ticks)


_find_serve: Any = None
_run_pauses: Any = None


def their_work_is(find_serve: Callable[[], Any], run_pauses: Callable[[int, int], int]) -> None:
    """What workers do and how a pause is measured: `parts` tells it, which is made of kernels."""
    global _find_serve, _run_pauses
    _find_serve, _run_pauses = find_serve, run_pauses


_crew: Crew | None = None
_address = 0  # the crew's
_ready = 1  # there is nothing to do for a call on so many threads
_lock = threading.Lock()


def crew(nt: int) -> int:
    """The first argument of a driver that runs on `nt` threads: a crew's address, or 0 for none."""
    if nt <= _ready:
        return 0 if nt == 1 else _address
    return _grown(nt)


def _grown(nt: int) -> int:
    global _crew, _address, _ready
    # Another thread may be starting workers, or this one, interrupted by a signal whose handler
    # computes. Meanwhile callers do everything themselves.
    if not _lock.acquire(blocking=False):
        return _address
    try:
        if nt > _ready and _find_serve is not None:
            # Where the system has no semaphores callers do everything themselves.
            with contextlib.suppress(AttributeError, OSError):
                if _crew is None:
                    _crew = Crew(max(nt, threads.most_threads(), 64))
                _crew.grow(min(nt, threads.most_threads()))
                _address = _crew.address
            _ready = nt
        return _address
    finally:
        _lock.release()


def count(nt: int) -> int:
    """How many workers there are for a call on `nt` threads."""
    crew(nt)
    return len(_crew.workers) if _crew else 0


def _retire() -> None:
    """At exit: machine code is unmapped after that, also under a worker that waits."""
    global _crew, _address, _ready
    held = _lock.acquire(timeout=1.0)  # by a thread that starts workers right now
    retired, _crew, _address, _ready = _crew, None, 0, sys.maxsize
    if held:
        _lock.release()
    if retired is not None:
        retired.retire()


def _after_fork() -> None:
    # The workers are threads of the parent. This process starts its own when it needs them.
    global _crew, _address, _ready, _lock
    _crew, _address, _ready, _lock = None, 0, 1, threading.Lock()


atexit.register(_retire)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
