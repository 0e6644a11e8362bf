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
from .aligned import LINE, empty

__all__ = ["Lease"]

# Reentrant: a collection of garbage, within `_take` or `_give`, may end the life of a lease.
_lock = threading.RLock()
# By size class, the one first to which nothing was given back for longest. A class stays when it is
# empty: there are few, and a lease that ends within `_take` or `_give` must not take away the list
# in their hands.
_free: OrderedDict[int, list[np.ndarray]] = OrderedDict()
_kept = 0


# Small arrays are pieces of blocks, whose store needs neither a lock nor a size: a buffer from the
# other store takes 1.5 µs there and back, a piece of a block 0.4. A list's `pop` and `append` are
# atomic.
_BLOCK = 8192  # bytes
_MOST_BLOCKS = 4096  # as many as a loop of a thousand cells holds before its pullbacks run
_blocks: list[memoryview] = []


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
        buffers = _free.get(size)
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


def _take_block() -> memoryview:
    try:
        return _blocks.pop()
    except IndexError:
        return empty(_BLOCK, np.uint8).data


def _give_blocks(blocks: Sequence[memoryview]) -> None:
    for block in blocks:
        if len(_blocks) < _MOST_BLOCKS:
            _blocks.append(block)


class Lease:
    """Arrays on loan until `release`, or until nobody holds the lease any more."""

    __slots__ = ("_blocks", "_buffers", "_used")

    def __init__(self) -> None:
        self._blocks: list[memoryview] = []
        self._buffers: list[np.ndarray] = []
        self._used = _BLOCK  # bytes of the last block

    def array(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """An uninitialised C-contiguous array; unless it is empty it starts on a cache line."""
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        if size > _BLOCK:
            buffer = _take(_size_class(size))
            self._buffers.append(buffer)
            return np.ndarray(shape, dtype, buffer.data)
        start = self._used
        if start + size > _BLOCK:
            self._blocks.append(_take_block())
            start = 0
        self._used = start + (size + LINE - 1) // LINE * LINE
        return np.ndarray(shape, dtype, self._blocks[-1], start)

    def rows(self, rows: int, columns: int, dtype: np.dtype) -> np.ndarray:
        """An uninitialised array of rows, with unused columns that spread them over the cache."""
        return self.array((rows, tuning.spread_columns(columns, dtype.itemsize)), dtype)

    def release(self) -> None:
        """Give the memory back; none of its arrays may be used again."""
        self._used = _BLOCK
        if self._blocks:
            blocks, self._blocks = self._blocks, []
            _give_blocks(blocks)
        if self._buffers:
            buffers, self._buffers = self._buffers, []
            _give(buffers)

    def __del__(self) -> None:
        held = getattr(self, "_blocks", None) or getattr(self, "_buffers", None)
        if held and _give is not None:
            self.release()
