"""Workers: started when needed and in each process anew, never waited for, gone at the end."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from crew_tool import own_crew
from lstm_tool import run_python

from numba_lstm import parts, threads, tuning, workers
from numba_lstm.jit import driver, kernel
from numba_lstm.simd import at, atomic_add, atomic_load, pause

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@kernel
def _meet_in_part(q, nt, counter, pauses):
    """Whether all parts run at once, told by waiting for each other."""
    atomic_add(at(counter, (0,)), 1)
    for _ in range(pauses):
        if atomic_load(at(counter, (0,))) >= nt:
            atomic_add(at(counter, (1,)), 1)
            break
        pause()


@driver
def _meet(crew, nt, counter, pauses):
    parts.parts(crew, nt, _meet_in_part, (nt, counter, pauses))


def met(nt: int, pauses: int = 100_000_000) -> bool:
    """Whether the parts of a job ran at once."""
    counter = np.zeros(2, np.int64)
    if workers._crew is not None:  # a busy machine may have made it lose time before
        workers._crew.words[workers.ALONE_UNTIL] = 0
    _meet(nt, counter, pauses)
    assert counter[0] == nt
    return counter[1] == nt


def test_parts_run_at_once_on_workers_that_are_there():
    program = """
import test_workers as t
from numba_lstm import workers
for nt in (2, 4, 3):
    assert t.met(nt)
assert len(workers._crew.workers) == 3
"""
    run_python(program, os.path.dirname(__file__), NUMBA_NUM_THREADS="4")


def test_one_thread_starts_no_worker():
    with own_crew():
        assert met(1)
        assert workers.count(1) == 0 and workers._crew is None


def test_the_caller_runs_what_a_worker_that_never_comes_has_not_begun(monkeypatch):
    late = workers.Crew(4, run=lambda *about: None)
    late.grow(4)
    monkeypatch.setattr(workers, "_address", late.address)
    monkeypatch.setattr(workers, "_ready", 4)
    assert not met(4, 10)
    begin = time.perf_counter()
    for _ in range(1000):
        assert not met(4, 10)
    assert time.perf_counter() - begin < 5


def test_there_may_be_more_parts_than_workers_and_than_the_crew_has_seats(monkeypatch):
    monkeypatch.setattr(threads, "most_threads", lambda: 2)
    with own_crew():
        for nt in (2, 5, 64, 1000):
            assert not met(nt, 10) or nt == 2
        assert workers.count(1000) == 1


@pytest.mark.parametrize("error", [AttributeError, OSError])
def test_without_semaphores_callers_do_everything(monkeypatch, error):
    class Missing:
        def __init__(self):
            raise error("no such function")

    monkeypatch.setattr(workers, "_Semaphores", Missing)
    with own_crew():
        assert not met(2, 10)
        assert workers.count(2) == 0 and workers.crew(2) == 0


def test_where_no_thread_can_be_started_callers_do_everything(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    with own_crew():
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            assert not met(2, 10)
        assert workers.count(2) == 0


@kernel
def _late_part(q, counter, pauses):
    atomic_add(at(counter, (q,)), 1)
    while q == 0 and atomic_load(at(counter, (1,))) == 0:
        pause()
    for _ in range(q * pauses):
        pause()


@driver
def _wait_for_a_late_one(crew, nt, counter, pauses):
    parts.parts(crew, nt, _late_part, (counter, pauses))


def test_after_a_worker_that_was_late_callers_work_alone_for_a_while(monkeypatch):
    monkeypatch.setattr(tuning, "ALONE", 3)
    monkeypatch.setattr(tuning, "CREDIT", 0.0)
    with own_crew():
        assert met(2)
        words = workers._crew.words
        begin = time.perf_counter()
        _wait_for_a_late_one(2, np.zeros(2, np.int64), 2_000_000)
        lost = time.perf_counter() - begin
        assert words[workers.ALONE_UNTIL] > 0
        counter = np.zeros(2, np.int64)
        _meet(2, counter, 10)
        assert counter.tolist() == [2, 1], "the last part alone found all there"
        time.sleep(4 * lost)
        counter[:] = 0
        _meet(2, counter, 100_000_000)
        assert counter.tolist() == [2, 2]


def test_a_loss_that_workers_have_saved_before_costs_nothing_more(monkeypatch):
    monkeypatch.setattr(tuning, "CREDIT", 100.0)
    with own_crew():
        assert met(2)
        words = workers._crew.words
        words[workers.LOST] = -words[workers.CREDIT]
        _wait_for_a_late_one(2, np.zeros(2, np.int64), 2_000_000)
        assert words[workers.ALONE_UNTIL] == 0
        assert -words[workers.CREDIT] < words[workers.LOST] < 0


def test_what_workers_save_is_credited_up_to_a_limit():
    with own_crew():
        assert met(2)
        words = workers._crew.words
        words[workers.LOST] = 0
        counter = np.zeros(2, np.int64)
        for _ in range(20_000):
            counter[:] = 0
            _meet(2, counter, 1000)
            assert words[workers.LOST] >= -words[workers.CREDIT]
        assert words[workers.LOST] < 0 or words[workers.ALONE_UNTIL] > 0


def test_a_worker_that_sleeps_is_woken():
    with own_crew():
        assert met(2)
        seat = workers.SEATS + workers.SEAT + workers.SLEEPING
        words = workers._crew.words
        for _ in range(20):
            end = time.perf_counter() + 20
            while not words[seat]:
                assert time.perf_counter() < end, "it never slept"
                time.sleep(0.001)
            assert met(2)


def test_a_job_of_another_python_thread_is_not_waited_for():
    """The crew is one thread's; the other one runs its parts itself, and both are right."""
    counters = [np.zeros(2, np.int64) for _ in range(4)]

    def run(counter):
        for _ in range(3000):
            _meet(2, counter, 2)

    with own_crew():
        callers = [threading.Thread(target=run, args=(counter,)) for counter in counters]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert [counter[0] for counter in counters] == [6000] * 4
        assert workers._crew.words[workers.OWNER] == 0


def test_settings_are_pauses_of_what_tuning_says_in_seconds(monkeypatch):
    monkeypatch.setattr(workers, "_seconds_of", lambda run: (1e-8, 1e-9))
    words = workers.Crew(2).words
    assert words[workers.SPINS] == round(tuning.WORKER_SPINS * 1e8)
    assert words[workers.PATIENCE] == round(tuning.TEAM_PATIENCE * 1e8)
    assert words[workers.LONG_PATIENCE] == round(tuning.TEAM_PATIENCE_ASLEEP * 1e8)
    assert words[workers.LATE] == round(tuning.LATE * 1e9)
    assert words[workers.ALONE] == tuning.ALONE
    assert words[workers.CREDIT] == round(tuning.CREDIT * 1e9)
    assert words[workers.FINE] == round(tuning.FINE * 1e9)
    assert words[workers.OFFER] == round(tuning.YIELD_AFTER * 1e9)


FORKS = """
import os, signal, sys, threading
import test_workers as t
from numba_lstm import workers

def in_child(then):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(60)  # a child that hangs is a failure, not a test that never ends
            assert workers._crew is None
            then()
            assert len(workers._crew.workers) == 1
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def child():
    assert t.met(2)
    in_child(lambda: t.met(2) or sys.exit(1))
    assert t.met(2)

BEFORE
in_child(child)
AFTER
"""


@needs_fork
@pytest.mark.parametrize("before", ["", "assert t.met(2)"])
def test_children_of_a_fork_and_theirs_compute_on_threads_of_their_own(before):
    program = FORKS.replace("BEFORE", before).replace("AFTER", "assert t.met(2)")
    run_python(program, os.path.dirname(__file__), NUMBA_NUM_THREADS="2")


@needs_fork
def test_a_child_forked_while_another_thread_has_the_crew_computes_on_threads():
    busy = """
stop = False
def work():
    while not stop:
        t.met(2, 100_000)
thread = threading.Thread(target=work, daemon=True)
thread.start()
while not (workers._crew and workers._crew.words[workers.OWNER]):
    pass
"""
    program = FORKS.replace("BEFORE", busy).replace("AFTER", "stop = True; thread.join()")
    run_python(program, os.path.dirname(__file__), NUMBA_NUM_THREADS="2")


EXITS = {
    "spinning": "assert t.met(2)",
    "asleep": "assert t.met(2); time.sleep(0.1)",
    "in atexit": "import atexit; atexit.register(lambda: t.met(2)); assert t.met(2)",
    "before atexit": "assert t.met(2)",
    "in a child": """
import multiprocessing
assert t.met(2)
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.map(t.met, [2, 2]) == [True, True]
""",
    "daemon": """
import threading
def work():
    while True:
        t.met(2, 1000)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
""",
}


@pytest.mark.parametrize("end", EXITS)
def test_the_interpreter_ends_cleanly(end):
    if end == "in a child" and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    early = "import atexit; atexit.register(lambda: t.met(2, 10))\n" * (end == "before atexit")
    program = f"import sys, time; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
    program += f"{early}import test_workers as t\n{EXITS[end]}\nprint('done')\n"
    begin = time.perf_counter()
    assert run_python(program, NUMBA_NUM_THREADS="2", PYTHONDEVMODE="1") == "done\n"
    assert time.perf_counter() - begin < 60


def test_signals_go_to_the_programs_own_threads():
    signal = pytest.importorskip("signal")
    if not hasattr(signal, "pthread_sigmask"):
        pytest.skip("this system has no masks of signals")
    found = []

    def run(address, nt, i):
        found.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    crew = workers.Crew(2, run)
    crew.grow(2)
    crew.workers[0].join()
    assert signal.SIGINT in found[0] and signal.SIGSEGV not in found[0]
