"""How the processes of a command end: all together, or by an abort of those that go on."""

from __future__ import annotations

import signal
import time
from typing import Any, TypeVar

from .group import Group

__all__ = ["Ending"]

T = TypeVar("T")
_LOOK_SECONDS = 0.005


class Ending:
    """Where the ranks of a group meet when their work is done, or has failed.

    It has messages of its own: ranks that still work may be in the middle of a sum. To wait here
    takes no processor from those that do.

    Parameters
    ----------
    group : Group
        All ranks must make theirs at the same place.
    """

    def __init__(self, group: Group) -> None:
        self._comm: Any = group._comm.Dup()

    def met(self, told: T, seconds: float | None = None) -> list[T] | None:
        """Wait until all ranks are here, and give what each has to tell.

        Ctrl-C is not heard meanwhile: it is for those that still work.

        Parameters
        ----------
        told : object
            What this rank has to tell: anything that can be pickled.
        seconds : float, optional
            How long to wait; for ever if None.

        Returns
        -------
        list or None
            By rank; None if another rank was still not here after so long.
        """
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            arrived, began = self._comm.Ibarrier(), time.monotonic()
            while not arrived.Test():
                if seconds is not None and time.monotonic() - began > seconds:
                    return None
                time.sleep(_LOOK_SECONDS)
            found: list[T] = self._comm.allgather(told)
            return found
        finally:
            signal.signal(signal.SIGINT, before)
