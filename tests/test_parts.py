"""Parts that are cut where a worker is late: each piece runs once, no bit of a result changes."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
from crew_tool import cut_always, own_crew
from lstm_tool import run_python

from numba_lstm import parts, threads, tuning, workers
from numba_lstm.jit import driver, kernel
from numba_lstm.kernels.loops.turns import finer_shares
from numba_lstm.simd import at, atomic_add, atomic_load, pause


@kernel
def _piece(q, counts, begun, slow, alone):
    """Piece `slow` waits, but not for ever, until all others have begun, and tells if they have."""
    atomic_add(at(counts, (q,)), 1)
    atomic_add(at(begun, (0,)), 1)
    if q == slow:
        for _ in range(2_000_000):
            if atomic_load(at(begun, (0,))) >= counts.size:
                alone[0] = 1
                break
            pause()


@driver
def _run(crew, nt, cut, counts, slow, alone):
    parts.fine_parts(crew, nt, cut, _piece, (counts, np.zeros(1, np.int64), slow, alone))


def run(nt: int, cut: int, slow: int = -1) -> bool:
    """Run a job, look whether each piece ran once, and tell what piece `slow` has found."""
    counts, alone = np.zeros(nt * cut, np.int64), np.zeros(1, np.int64)
    if workers._crew is not None:  # a busy machine may have made it lose time before
        workers._crew.words[workers.ALONE_UNTIL] = 0
    _run(nt, cut, counts, slow, alone)
    assert (counts == 1).all(), (nt, cut, counts)
    return alone[0] == 1


@driver
def _pieces(crew, nt):
    return parts.pieces(crew, nt)


@kernel
def _late_part(q, counts):
    """The caller's part waits until the worker has begun; the worker's lasts 20 ms longer."""
    atomic_add(at(counts, (q,)), 1)
    while q == 0 and atomic_load(at(counts, (1,))) == 0:
        pause()
    for _ in range(q * 2_000_000):
        pause()


@driver
def _wait_for_a_late_one(crew, nt, counts):
    parts.parts(crew, nt, _late_part, (counts,))


def test_every_piece_runs_once_on_any_number_of_threads():
    program = """
import test_parts as t
from numba_lstm import workers
for nt in (1, 2, 3, 4):
    for cut in (1, 2, 3, 5):
        for _ in range(50):
            t.run(nt, cut)
assert workers._crew.words[workers.PIECES] == 5
"""
    run_python(program, os.path.dirname(__file__), NUMBA_NUM_THREADS="4")


@pytest.fixture
def two_threads(monkeypatch):
    """Two threads and a crew of one worker, also where there is one core."""
    monkeypatch.setattr(threads, "most_threads", lambda: 2)
    with own_crew():
        if not workers.count(2):
            pytest.skip("this system starts no worker")
        yield


def test_the_caller_takes_the_pieces_of_a_worker_that_takes_long(two_threads):
    """The worker's first piece of four lasts until somebody else has begun the other three."""
    end = time.perf_counter() + 60
    while not run(2, 4, slow=4):  # on a busy machine a worker may not come at all
        assert time.perf_counter() < end, "no other thread took the worker's pieces"


def test_after_a_worker_that_was_late_twice_parts_are_cut_for_a_while(two_threads):
    words = workers._crew.words
    words[workers.ALONE] = 0
    words[workers.FINE] *= 5  # half a second
    assert _pieces(1) == 1
    end = time.perf_counter() + 20
    while True:  # what the system does meanwhile may make it more than two, or one of them short
        assert time.perf_counter() < end, "it was never cut"
        words[workers.FINE_UNTIL], words[workers.LAST_LATE] = 0, -(2**62)
        _wait_for_a_late_one(2, np.zeros(2, np.int64))
        once = _pieces(2)
        _wait_for_a_late_one(2, np.zeros(2, np.int64))
        if (once, _pieces(2)) == (1, tuning.PIECES_OF_PART):
            break
    assert _pieces(1) == 1, "the caller alone has nothing to share"
    assert _pieces(1000) == 1, "the crew has no seats for so many"
    while _pieces(2) != 1:
        assert time.perf_counter() < end, "it never ended"
        time.sleep(0.01)


def test_jobs_on_many_threads_are_cut_less_and_those_of_a_caller_alone_are_not():
    with own_crew():
        cut_always()
        assert [_pieces(nt) for nt in (2, 8, 16, 32, 64)] == [8, 8, 4, 2, 1]
        workers._crew.words[workers.ALONE_UNTIL] = 2**62
        assert _pieces(2) == 1


def test_a_clock_that_is_set_back_does_not_cut_for_ever():
    with own_crew():
        workers.crew(2)
        words = workers._crew.words
        words[workers.FINE_UNTIL] = 2**62
        assert _pieces(2) == 1


@driver
def _finer(crew, nt, columns, shares):
    return finer_shares(crew, nt, columns, shares)


@pytest.mark.parametrize("bounds", [[0, 40, 80], [0, 13, 64], [0, 50, 55], [0, 10, 20]])
def test_each_thread_s_rows_are_cut_evenly_and_none_is_lost(bounds):
    with own_crew():
        cut_always()
        shares = np.array(bounds, np.int64)
        cut, finer = _finer(2, 1, shares)
        most = bounds[-1] // (2 * tuning.ROWS_OF_PIECE)
        assert cut == max(1, min(tuning.PIECES_OF_ROWS, most))
        assert finer[:: int(cut)].tolist() == bounds
        for q in range(2):
            rows = np.diff(finer[q * cut : (q + 1) * cut + 1])
            assert rows.min() >= 0 and np.ptp(rows) <= 1
        assert _finer(2, 2, shares[:2])[0] == 1, "threads that wait for each other have no pieces"


BITS = """
import json
from collections import defaultdict
import numpy as np
from crew_tool import cut_always
from drivers_tool import watched
from family_tool import MODULES, draw, ours
from lstm_tool import assert_same_bits
from numba_lstm import jit, threads, tuning, workers
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.recurrent import plan

tuning.MIN_PARALLEL_WORK = 0
seen = {}
def forget():
    if workers._crew is not None:
        workers._crew.words[workers.PIECES] = 0
def note(driver, arguments, result):
    if arguments[0] > 1 and driver.__name__.endswith("ward"):
        seen[kind][driver.__name__].add(workers._crew.words[workers.PIECES])
jit.driver.on = watched(note, forget)
def choose(*about):
    return Schedule(nt, 1)
plan.choose = choose
threads.threads_for = lambda work: nt
for kind, make in MODULES.items():
    seen[kind] = defaultdict(set)
    rng = np.random.default_rng(0)
    module = make(5, 70, 2, bidirectional=True, seed=1)
    for lengths in (False, True):
        case, expected = draw(rng, module, 7, 53, lengths), None
        for nt in (1, 2, 3):
            for w in module.weights():
                w.plans.clear()
            if nt > 1:
                cut_always()
            found = ours(module, case)
            inferred = module(case.x, lengths=case.lengths)[0]
            found = found | {"inferred": inferred}
            expected = expected or found
            assert_same_bits(found, expected, (kind, lengths, nt))
found = {kind: {name: list(some) for name, some in of.items()} for kind, of in seen.items()}
print(json.dumps(found))
"""


def test_rows_in_pieces_give_the_same_bits_for_every_cell():
    told = json.loads(run_python(BITS, os.path.dirname(__file__), NUMBA_NUM_THREADS="4"))
    assert len(told) >= 8
    for kind, drivers in told.items():
        assert len(drivers) == 2, (kind, drivers)  # forward and backward
        assert all(cut == [tuning.PIECES_OF_ROWS] for cut in drivers.values()), (kind, drivers)
