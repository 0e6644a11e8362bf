"""The end of all ranks when one of them ends by an exception that nobody caught."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType

from .errors import DistributedError

__all__ = ["abort_on_uncaught"]

_installed = False


def abort_on_uncaught(rank: int, size: int, abort: Callable[[int], object]) -> None:
    """Let an uncaught exception end all ranks, after it was printed; once in a process.

    mpi4py waits for all ranks when a process ends. The others wait for this one in a sum, and the
    job would hang for ever. What every rank raises is printed by rank 0 alone, and all end by
    themselves.
    """
    global _installed
    if _installed:
        return
    _installed = True
    before = sys.excepthook

    def hook(
        kind: type[BaseException], value: BaseException, traceback: TracebackType | None
    ) -> None:
        everywhere = isinstance(value, DistributedError)
        if rank == 0 or not everywhere:
            print(f"rank {rank} of {size}:", file=sys.stderr)
            before(kind, value, traceback)
        if not everywhere:
            abort(1)

    sys.excepthook = hook
