"""Threads that stay together for a whole sequence and wait for each other between its steps.

A fork and join for every step costs 1 to 2 µs (two threads, omp), as much as a small step itself;
threads that are there already wait for each other in 0.1 µs. But who waits for a thread that never
comes waits for ever, and a pool may run one part after another on one thread. So a team first sees
whether all of it is there, and if not, nothing has been done yet: the caller then forks and joins
step by step.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import atomic_add, atomic_load, atomic_replace, pause, yield_core

__all__ = ["failed", "gather", "wait_for_all"]

# From so many pauses on, of 10 to 40 ns each, the core is offered to others, of whom the one that
# is waited for may be: there can be more threads than cores.
_SPINS = 1_000
# Waking a sleeping thread takes some 50 µs; an offer that nobody takes 0.2 µs.
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
    """Whether all `n` threads are here at once; they all get the same answer."""
    atomic_add(counter, 1)
    for spins in range(_PATIENCE):
        here = atomic_load(counter)
        if here >= n or here < 0:
            break
        _rest(spins)
    here = atomic_load(counter)
    while 0 <= here < n:
        # Whoever comes from now on finds that it failed.
        atomic_replace(counter, here, _FAILED)
        here = atomic_load(counter)
    return here >= n


@kernel
def failed(counter):
    """Whether `gather` said no."""
    return atomic_load(counter) < 0


@kernel
def wait_for_all(counter, target):
    """Wait until the counter, which each thread adds 1 to, is at `target`.

    It is n after `gather`, 2·n after the first wait, and so on.
    """
    atomic_add(counter, 1)
    spins = 0
    while atomic_load(counter) < target:
        spins += 1
        _rest(spins)
