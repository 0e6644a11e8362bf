"""Threads that stay together for a whole sequence and wait for each other between its steps.

A fork and join for every step costs 1 to 2 µs (two threads, omp), as much as a small step itself.
Threads that are running already wait for each other in 0.1 µs. But a pool may run one part after
another on one thread, and then the first part would wait for ever for the others. So the threads
of a team first find out whether all of them run at once. If not, nothing has been done yet, and the
caller forks and joins step by step instead; see `turns`. Both ways give the same bits.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import atomic_add, atomic_load, atomic_replace, pause, yield_core

__all__ = ["failed", "gather", "wait_for_all"]

# A pause takes 10 to 40 ns. After so many a waiting thread offers its core to others: there can be
# more threads than cores, and the thread that is waited for may need it.
_SPINS = 1_000
# How long `gather` waits, in pauses and then in offers. Waking a sleeping thread takes about 50 µs,
# an offer that nobody takes 0.2 µs.
_PATIENCE = _SPINS + 5_000
_FAILED = -(1 << 60)


@kernel
def _rest(spins):
    if spins < _SPINS:
        pause()
    else:
        yield_core()


@kernel
def gather(counter, n):
    """Whether all `n` threads run at once. All of them get the same answer."""
    atomic_add(counter, 1)
    for spins in range(_PATIENCE):
        here = atomic_load(counter)
        if here >= n or here < 0:
            break
        _rest(spins)
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
    spins = 0
    while atomic_load(counter) < target:
        spins += 1
        _rest(spins)
