"""Ranks for tests: real ones, which mpiexec starts, and threads that act as ranks."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tool import ROOT, environment

from numba_lstm.distributed import Group

# That of the environment that runs the tests comes first, as its library does.
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
__all__ = [
    "MPIEXEC",
    "OPEN_MPI",
    "ROOT",
    "ThreadRank",
    "errors",
    "in_threads",
    "mpiexec",
    "needs_mpi",
]

# Its mpiexec ends with 1 after an interrupt, and adds words of its own to those of a rank.
_SAYS = MPIEXEC and subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
OPEN_MPI = "OpenRTE" in (_SAYS or "") or "Open MPI" in (_SAYS or "")

_NO_MPI = MPIEXEC is None or find_spec("mpi4py") is None
_WORDS = "needs mpi4py and mpiexec: pip install 'numba_lstm[mpi]'"
# Else all tests of ranks could be left out for ever, and nobody would see it.
if _NO_MPI and os.environ.get("NUMBA_LSTM_TESTS_NEED_MPI", "0") not in ("", "0"):
    raise ImportError(f"this suite, by NUMBA_LSTM_TESTS_NEED_MPI, {_WORDS}")
needs_mpi = pytest.mark.skipif(_NO_MPI, reason=_WORDS)


def mpiexec(count: int, program: Path, *args: Any, **more: str) -> subprocess.CompletedProcess:
    """Run a program on so many ranks of one thread each, to the end of all."""
    return subprocess.run(
        [str(MPIEXEC), "-n", str(count), sys.executable, str(program), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(NUMBA_NUM_THREADS="1", **more),
    )


class ThreadRank(Group):
    """A thread that acts as a rank: it meets the others at a barrier. No MPI."""

    def __init__(self, rank: int, slots: list[Any], meeting: threading.Barrier) -> None:
        self.rank, self.size = rank, len(slots)
        self._slots, self._meeting = slots, meeting

    def all_gather(self, value: Any) -> list[Any]:
        self._slots[self.rank] = pickle.dumps(value)
        self._meeting.wait()
        values = [pickle.loads(one) for one in self._slots]
        self._meeting.wait()
        return values

    def broadcast(self, value: Any, root: int = 0) -> Any:
        return self.all_gather(value)[root]

    def broadcast_array(self, array: np.ndarray, root: int = 0) -> None:
        array[...] = self.all_gather(array)[root]

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        values = self.all_gather(value)
        return values if self.rank == root else None

    def scatter(self, values: list[Any] | None, root: int = 0) -> Any:
        return self.all_gather(values)[root][self.rank]

    def barrier(self) -> None:
        self._meeting.wait()

    def _sum(self, array: np.ndarray) -> None:
        array[...] = sum(self.all_gather(array))


def in_threads(count: int, run: Callable[[Group], Any]) -> list[Any]:
    """Run a function on so many ranks that are threads; what each returned or raised, by rank.

    A rank that waits for one that never comes raises `threading.BrokenBarrierError`.
    """
    slots: list[Any] = [None] * count
    meeting = threading.Barrier(count, timeout=20)

    def one(rank: int) -> Any:
        try:
            return run(ThreadRank(rank, slots, meeting))
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def errors(outcomes: Sequence[Any]) -> list[str]:
    """The words of what every rank raised; a rank that raised nothing is a failure."""
    for one in outcomes:
        assert isinstance(one, Exception), outcomes
    return [f"{type(one).__name__}: {one}" for one in outcomes]
