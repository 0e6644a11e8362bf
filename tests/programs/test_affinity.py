"""Programs whose CPUs, or number of threads, change after the import."""

from __future__ import annotations

import os

import pytest
from programs_tool import run

CHANGED = """
import os, sys
CPUS = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, CPUS[:1])
import numpy as np
import numba
import numba_lstm as nl
from numba_lstm import nn, workers
from programs_tool import bits, done, job

@numba.njit(parallel=True)
def theirs(a):
    for i in numba.prange(len(a)):
        a[i] += 1

lstm = nn.LSTM(64, 128, num_layers=2, seed=0)
x = np.random.default_rng(0).standard_normal((200, 32, 64), dtype=np.float32)

def large():
    (y, state), pullback = lstm.vjp(x)
    return bits((lstm(x), y, state, pullback(y)))

def refused(n):
    try:
        nl.set_num_threads(n)
    except ValueError as error:
        return str(error).startswith("n: expected")

if sys.argv[1] == "theirs first":
    theirs(np.zeros(9))  # numba starts its threads for the CPUs of now
assert nl.get_num_threads() == 1 and refused(2)
expected, digest = large(), job()
assert workers._crew is None

def same(n):
    nl.set_num_threads(n)
    assert nl.get_num_threads() == n
    assert large() == expected and job() == digest

os.sched_setaffinity(0, CPUS)
same(len(CPUS))  # widened
assert len(workers._crew.workers) == len(CPUS) - 1 and refused(len(CPUS) + 1)
os.sched_setaffinity(0, CPUS[-1:])
assert large() == expected and refused(2)  # narrowed below what was chosen
os.sched_setaffinity(0, CPUS)
os.environ["NUMBA_NUM_THREADS"] = "8"
same(8)  # more than there are
same(5)
os.environ["NUMBA_NUM_THREADS"] = "1"
assert large() == expected and refused(2)  # what was chosen stays
same(1)
os.environ["NUMBA_NUM_THREADS"] = "8"
os.sched_setaffinity(0, CPUS[:1])
same(8)  # all of them on one CPU
del os.environ["NUMBA_NUM_THREADS"]
assert large() == expected
same(1)
print("1, 2, 8, 5, 1, 8 and 1 threads on one CPU and on all")
done()
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="this system has no affinity, or one CPU",
)
@pytest.mark.parametrize("first", ["ours first", "theirs first"])
def test_cpus_and_numbers_of_threads_that_change_after_the_import_change_no_bit(first):
    run(CHANGED, first, NUMBA_NUM_THREADS=None, OMP_NUM_THREADS=None)
