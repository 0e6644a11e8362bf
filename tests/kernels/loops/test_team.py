"""Threads that stay together: all of them or none, and each sees what the others left."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from drivers_tool import watched
from family_tool import MODULES
from lstm_tool import run_python

from numba_lstm import tuning
from numba_lstm.jit import driver, kernel
from numba_lstm.kernels.loops import team
from numba_lstm.kernels.loops.team import failed, gather, wait_for_all
from numba_lstm.parts import parts
from numba_lstm.simd import LINE, at


@driver
def _meet(crew, nt, n, counter, here):
    """Parts 0 … nt of a team of n, one after the other."""
    for q in range(nt):
        here[q] = gather(at(counter, (0,)), n, 100)
    here[nt] = failed(at(counter, (0,)))


@kernel
def _rounds_of_part(q, nt, counter, left, seen):
    met = at(counter, (0,))
    waits = nt
    for r in range(seen.shape[0] if gather(met, nt, 50_000_000) else 0):
        left[r, q] = r * (q + 1)
        waits += nt
        wait_for_all(met, waits)
        for other in range(nt):
            seen[r, q] += left[r, other]


@driver
def _rounds(crew, nt, counter, left, seen):
    """In each round a part leaves a number and then adds up what all left."""
    parts(crew, nt, _rounds_of_part, (nt, counter, left, seen))


def fresh():
    return np.zeros(2, np.int64)


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


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("column", [0, 10])
@pytest.mark.parametrize("rows, fits", [(1, True), (2, True), (3, False)])
def test_all_lines_of_few_rows_are_fetched_and_none_of_many(
    monkeypatch, rows, fits, column, itemsize
):
    # In plain Python, the numbers of an array's items standing for pointers to them.
    asked = []
    monkeypatch.setattr(team, "shift", lambda p, offset: p + offset)
    monkeypatch.setattr(team, "prefetch", lambda p, offset: asked.append(p + offset))
    segments, items = 8, tuning.FETCH_BYTES // (2 * itemsize * 8)
    z = np.arange(segments * 5 * 2 * items).reshape(segments, 5, 2 * items)
    begin = z[0, 1, column]
    team.fetch_rows.py_func(begin, rows, 2 * items, segments, z[1, 0, 0], items, itemsize)
    wanted = z[:, 1 : 1 + rows, column : column + items] if fits else z[:0]
    line = LINE // itemsize
    assert {p // line for p in asked} == set((wanted // line).flat)
    assert len(asked) <= segments * rows * (items // line + 2)


def sums_of_rounds(nt: int) -> list[int]:
    left, seen = np.zeros((500, nt), np.int64), np.zeros((500, nt), np.int64)
    counter = fresh()
    _rounds(nt, counter, left, seen)
    assert counter[0] == nt * 501, "the team did not come together"
    return seen.sum(axis=1).tolist()


def test_each_sees_what_the_others_left_before_they_waited():
    program = """
import json, test_team as t
print(json.dumps([t.sums_of_rounds(nt) for nt in (2, 3, 4)]))
"""
    found = json.loads(run_python(program, Path(__file__).parent, NUMBA_NUM_THREADS="4"))
    for nt, sums in zip((2, 3, 4), found):
        assert sums == [r * nt * nt * (nt + 1) // 2 for r in range(500)]


@pytest.mark.parametrize("kind", ["lstm", "lstm-projected", "gru-before", "lstm-normalised"])
def test_a_loop_whose_team_does_not_come_together_gives_the_same_bits(rng, monkeypatch, kind):
    from numba_lstm import jit, workers
    from numba_lstm.kernels.loops.schedule import Schedule
    from numba_lstm.recurrent import plan

    monkeypatch.setattr(plan, "choose", lambda *about: Schedule(2, 2, True))
    for size in ("PIECE_BYTES", "GEMM_TRANSPOSED_K"):
        monkeypatch.setattr(tuning, size, 1)  # pieces of one step
    x = rng.standard_normal((5, 3, 4)).astype("f4")
    met = []

    def everything():
        m = MODULES[kind](4, 33, seed=0)
        (y, _), pullback = m.vjp(x)
        dx, _ = pullback(y)
        return [y, dx, m(x)[0], *(p.grad for p in m.parameters())]

    def note(driver, arguments, result):
        if arguments[0] > 1 and "ward" in driver.__name__:
            met.append(result)

    expected = everything()
    monkeypatch.setattr(jit.driver, "on", watched(note))
    # A worker that is there and never comes.
    late = workers.Crew(2, run=lambda *about: None)
    late.grow(2)
    for name, value in (("_crew", late), ("_address", late.address), ("_ready", 2)):
        monkeypatch.setattr(workers, name, value)
    for one, two in zip(everything(), expected, strict=True):
        assert np.array_equal(one, two)
    assert met == [False] * (1 + 5 + 1)
