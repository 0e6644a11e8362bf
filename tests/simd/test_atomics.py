"""Atomic operations do what their names say; that threads see them in order `team`'s tests show."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver, kernel
from numba_lstm.parts import parts
from numba_lstm.simd import (
    at,
    atomic_add,
    atomic_load,
    atomic_replace,
    atomic_store,
    counter_at,
    denormals,
    fence,
    pause,
    ticks,
    yield_core,
)


@driver
def _operations(crew, nt, counter, found):
    for _ in range(nt):
        p = at(counter, (0,))
        found[0] = atomic_add(p, 5)
        found[1] = atomic_load(p)
        found[2] = atomic_replace(p, 7, 1)
        found[3] = atomic_load(p)
        found[4] = atomic_replace(p, 12, -3)
        found[5] = atomic_load(p)
        pause()
        yield_core()
        fence()


@driver
def _time(crew, nt, n):
    begin = ticks()
    for _ in range(n):
        pause()
    return ticks() - begin


@driver
def _store(crew, nt, address):
    atomic_store(counter_at(address), 11)


@kernel
def _add_times(q, counter, times):
    for _ in range(times):
        atomic_add(at(counter, (0,)), 1)


@driver
def _count(crew, nt, counter, times):
    parts(crew, nt, _add_times, (counter, times))


def test_add_gives_what_was_there_and_replace_happens_only_where_that_is_as_expected():
    counter, found = np.array([7]), np.zeros(6, np.int64)
    _operations(1, counter, found)
    assert found.tolist() == [7, 12, 0, 12, 1, -3]
    assert counter[0] == -3


def test_a_number_is_stored_at_an_address():
    counter = np.array([7, 8])
    _store(1, counter.ctypes.data + 8)
    assert counter.tolist() == [7, 11]


@pytest.mark.skipif(not denormals.IS_X86, reason="elsewhere there may be no clock")
def test_ticks_count_time():
    short, long = (min(_time(1, n) for _ in range(5)) for n in (1_000, 10_000))
    assert 0 < 3 * short < long


def test_no_addend_of_several_threads_is_lost():
    counter = np.zeros(1, np.int64)
    _count(2, counter, 100_000)
    assert counter[0] == 200_000
