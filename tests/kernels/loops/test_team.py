"""Threads that stay together: all of them or none, and each sees what the others left."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from family_tool import MODULES
from lstm_tool import run_python

from numba_lstm import threads, tuning
from numba_lstm.jit import driver, prange
from numba_lstm.kernels.loops.team import failed, gather, wait_for_all
from numba_lstm.simd import at


@driver
def _meet(nt, n, counter, here):
    """Parts 0 … nt of a team of n."""
    for q in prange(nt):
        here[q] = gather(at(counter, (0,)), n)
    here[nt] = failed(at(counter, (0,)))


@driver
def _rounds(nt, counter, left, seen):
    """In each round a part leaves a number and then adds up what all left."""
    for q in prange(nt):
        met = at(counter, (0,))
        waits = nt
        for r in range(seen.shape[0] if gather(met, nt) else 0):
            left[r, q] = r * (q + 1)
            waits += nt
            wait_for_all(met, waits)
            for other in range(nt):
                seen[r, q] += left[r, other]


def fresh():
    return np.zeros(1, np.int64)


def test_one_alone_is_a_team_of_one():
    here = np.zeros(2, np.bool_)
    _meet(1, 1, fresh(), here)
    assert here.tolist() == [True, False]


def test_who_waits_for_one_that_does_not_come_gives_up_and_so_does_who_comes_late():
    counter, here = fresh(), np.ones(2, np.bool_)
    begin = time.perf_counter()
    _meet(1, 2, counter, here)
    assert here.tolist() == [False, True]
    assert time.perf_counter() - begin < 10
    _meet(1, 2, counter, here)
    assert here.tolist() == [False, True]


def together(nt: int) -> list[int]:
    stop = time.perf_counter() + 20
    while time.perf_counter() < stop:  # on a busy machine a team may not come together
        left, seen = np.zeros((500, nt), np.int64), np.zeros((500, nt), np.int64)
        counter = fresh()
        _rounds(nt, counter, left, seen)
        if counter[0] == nt * 501:
            break
        assert counter[0] < 0 and not left.any()
    return seen.sum(axis=1).tolist() if counter[0] > 0 else []


def test_each_sees_what_the_others_left_before_they_waited():
    program = """
import json, test_team as t
print(json.dumps([t.together(nt) for nt in (2, 3, 4)]))
"""
    about = {"NUMBA_NUM_THREADS": "4", "OMP_WAIT_POLICY": "PASSIVE"}
    found = json.loads(run_python(program, Path(__file__).parent, **about))
    for nt, sums in zip((2, 3, 4), found):
        assert sums == [r * nt * nt * (nt + 1) // 2 for r in range(500)] or (nt > 2 and not sums)


@pytest.mark.skipif(threads.get_num_threads() < 2, reason="needs two threads")
@pytest.mark.parametrize("kind", ["lstm", "lstm-projected", "gru-before", "lstm-normalised"])
def test_a_loop_whose_parts_run_one_after_another_gives_the_same_bits(rng, monkeypatch, kind):
    from numba_lstm import jit
    from numba_lstm.kernels.loops.schedule import Schedule
    from numba_lstm.recurrent import plan

    monkeypatch.setattr(plan, "choose", lambda *about: Schedule(2, 2, True))
    for size in ("PIECE_BYTES", "GEMM_TRANSPOSED_K"):
        monkeypatch.setattr(tuning, size, 1)  # pieces of one step
    x = rng.standard_normal((5, 3, 4)).astype("f4")
    ran = []

    def everything():
        m = MODULES[kind](4, 33, seed=0)
        (y, _), pullback = m.vjp(x)
        dx, _ = pullback(y)
        return [y, dx, m(x)[0], *(p.grad for p in m.parameters())]

    def on_one_thread(self, nt, *args):
        if nt == 1 or "ward" not in self.__name__:
            return call(self, nt, *args)
        before = numba.get_num_threads()
        numba.set_num_threads(1)  # which then runs part after part
        ran.append(self.__name__)
        try:
            return self._compiled(True)(nt, *args)
        finally:
            numba.set_num_threads(before)

    expected = everything()
    call = jit.driver.__call__
    monkeypatch.setattr(threads, "_failed_teams", 0)
    monkeypatch.setattr(jit.driver, "__call__", on_one_thread)
    for one, two in zip(everything(), expected, strict=True):
        assert np.array_equal(one, two)
    # Once a call: the way back, in pieces, does not try again with each of them.
    assert len(ran) == 1 + 5 + 1 and threads._failed_teams == 3
