"""Threads that stay together for a whole sequence and wait for each other between its steps.

To share out the parts of every step anew costs 0.2 µs (two threads that are awake). Threads that
are running already wait for each other in 0.1 µs. But a worker may come late, or the caller may
have to take its part, and then the first part would wait for ever for the others. So the threads of
a team first find out whether all of them run at once, and wait for that no longer than a few steps
take. If not, nothing has been done yet, and the caller shares out step by step instead; see
`turns`. Both ways give the same bits.
"""

from __future__ import annotations

from ... import tuning
from ...jit import kernel
from ...parts import rest
from ...simd import (
    LINE,
    atomic_add,
    atomic_load,
    atomic_replace,
    pause,
    prefetch,
    shift,
    ticks,
)

__all__ = ["WAITED", "failed", "fetch_rows", "gather", "wait_for_all"]

_FETCH_BYTES = tuning.FETCH_BYTES

_FAILED = -(1 << 60)
WAITED = 1  # behind the counter: ticks that threads have waited for one that was late
_BEFORE_CLOCK = 2_000  # pauses, 20 to 80 µs


@kernel
def gather(counter, n, pauses):
    """Whether all `n` threads run at once, for which each waits that long.

    All of them get the same answer.
    """
    atomic_add(counter, 1)
    for _ in range(pauses):
        here = atomic_load(counter)
        if here >= n or here < 0:
            break
        pause()
    here = atomic_load(counter)
    while 0 <= here < n:
        # A thread that comes later finds that the team failed.
        atomic_replace(counter, here, _FAILED)
        here = atomic_load(counter)
    return here >= n


@kernel
def failed(counter):
    """Whether `gather` said no."""
    return atomic_load(counter) < 0


@kernel
def wait_for_all(counter, target):
    """Add 1 to the counter and wait until it has reached `target`.

    It stands at n after `gather`, so n threads wait for 2·n first, then for 3·n, and so on.
    """
    atomic_add(counter, 1)
    spins, begin = 0, 0
    while atomic_load(counter) < target:
        if spins == _BEFORE_CLOCK:
            begin = ticks()
        rest(spins)
        spins += 1
    if begin > 0:
        atomic_add(shift(counter, WAITED), ticks() - begin)


@kernel
def fetch_rows(p, rows, row, segments, stride, items, itemsize):
    """Have rows that other threads wrote brought to this core, all lines at once.

    The product that reads a row next takes an item of it and a row of weights, then the next item.
    It would come to one line after the other, and wait for the core that wrote each. What is more
    than `tuning.FETCH_BYTES` is left to it.

    Parameters
    ----------
    p : pointer
        To the first row of the first segment.
    rows, row : int
        How many rows there are, and the items from one to the next.
    segments, stride : int
        Each row's segments, and the items from one to the next.
    items, itemsize : int
        The items of a segment, at least one, and their bytes.
    """
    if rows * segments * items * itemsize > _FETCH_BYTES:
        return
    line = LINE // itemsize
    for s in range(segments):
        for r in range(rows):
            here = shift(p, s * stride + r * row)
            for j in range(0, items, line):
                prefetch(here, j)
            prefetch(here, items - 1)  # a row may begin in the middle of a line
