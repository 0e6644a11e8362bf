"""Scratch memory that is used again from call to call, safe when several threads call.

A training step of a few megabytes spends several percent of its time on page faults when it takes
its memory from the system each time.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from .. import tuning
from .aligned import empty

__all__ = ["Lease"]

# Reentrant: a collection of garbage, within `_take` or `_give`, may end the life of a lease.
_lock = threading.RLock()
# By size class, the one least recently used first. A class stays when it is empty: there are few,
# and a lease that ends within `_take` or `_give` must not take away the list in their hands.
_free: OrderedDict[int, list[np.ndarray]] = OrderedDict()
_kept = 0


def _after_fork() -> None:
    # Another thread may have held the lock in the middle of a change, and the child does not have
    # that thread. So the child starts with a lock and a store of its own.
    global _lock, _free, _kept
    _lock, _free, _kept = threading.RLock(), OrderedDict(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _size_class(size: int) -> int:
    """`size` rounded up to 1, 1.25, 1.5 or 1.75 times a power of two, at least a kilobyte."""
    step = 1 << max(10, size.bit_length() - 3)
    return -(-size // step) * step


def _take(size: int) -> np.ndarray:
    global _kept
    with _lock:
        buffers = _free.setdefault(size, [])
        _free.move_to_end(size)
        if buffers:
            _kept -= size
            return buffers.pop()
    return empty(size, np.uint8)


def _give(buffers: Sequence[np.ndarray]) -> None:
    global _kept
    with _lock:
        for buffer in buffers:
            size = buffer.size
            same = _free.setdefault(size, [])
            _free.move_to_end(size)
            if _kept + size > tuning.SCRATCH_BYTES >= size:
                _evict(tuning.SCRATCH_BYTES - size)
            if _kept + size <= tuning.SCRATCH_BYTES:
                _kept += size
                same.append(buffer)


def _evict(most: int) -> None:
    """Let go of buffers, those of sizes not used for longest first, until `most` bytes are kept.

    Else a program that has changed its sizes would take all its memory from the system from then
    on, and hold what nobody asks for any more.
    """
    global _kept
    for size, buffers in list(_free.items()):
        while _kept > most and buffers:
            buffers.pop()
            _kept -= size


class Lease:
    """Arrays on loan until `release`, or until nobody holds the lease any more."""

    __slots__ = ("_buffers",)

    def __init__(self) -> None:
        self._buffers: list[np.ndarray] = []

    def array(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """An uninitialised C-contiguous array; unless it is empty it starts on a cache line."""
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        buffer = _take(_size_class(size))
        self._buffers.append(buffer)
        return np.ndarray(shape, dtype, buffer.data)

    def release(self) -> None:
        """Give the memory back; none of its arrays may be used again."""
        buffers, self._buffers = self._buffers, []
        _give(buffers)

    def __del__(self) -> None:
        buffers = getattr(self, "_buffers", None)
        if buffers and _give is not None:
            _give(buffers)
