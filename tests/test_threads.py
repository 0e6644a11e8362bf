"""Thread counts, and where kernels may run: in Python threads and after forks."""

from __future__ import annotations

import os
import threading
from unittest import mock

import numpy as np
import pytest
from lstm_tool import assert_all_close, draw, ours, run_python

import numba_lstm as nl
from numba_lstm import nn, threads, tuning


@pytest.fixture
def chosen_stays():
    before = threads._chosen
    yield
    threads._chosen = before


def test_the_number_that_was_set_is_used_for_large_work_only(chosen_stays):
    for n in range(1, threads.most_threads() + 1):
        nl.set_num_threads(n)
        assert nl.get_num_threads() == n
        assert threads.threads_for(1e12) == n
        assert threads.threads_for(tuning.MIN_PARALLEL_WORK - 1) == 1
    nl.set_num_threads(np.int64(1))
    assert nl.get_num_threads() == 1


@pytest.mark.parametrize(
    ("n", "error"),
    [(0, ValueError), (-1, ValueError), (10**6, ValueError), (True, TypeError), (1.0, TypeError)],
)
def test_a_wrong_number_is_refused_by_name(chosen_stays, n, error):
    before = nl.get_num_threads()
    with pytest.raises(error, match=r"^n: expected"):
        nl.set_num_threads(n)
    assert nl.get_num_threads() == before


def test_the_default_is_the_environments_number_else_the_cpus_within_the_quota():
    with mock.patch.dict(os.environ, NUMBA_NUM_THREADS="3"):
        assert threads._default() == 3
        with mock.patch.object(threads, "_cgroup_quota", lambda: 1.0):
            assert threads._default() == 3
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {k: v for k, v in os.environ.items() if k not in names}
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(os, "sched_getaffinity", lambda pid: set(range(8)), create=True),
    ):
        for quota, expected in ((float("inf"), 8), (2.0, 2), (2.5, 3), (0.5, 1), (100.0, 8)):
            with mock.patch.object(threads, "_cgroup_quota", lambda quota=quota: quota):
                assert threads._default() == expected, quota


@pytest.mark.parametrize(
    ("openmp", "numba", "expected"),
    [
        ("1", None, 1),
        ("3", None, 3),
        ("3,2", None, 3),
        (" 2 ", None, 2),
        ("99", None, 8),
        ("3", "5", 5),
        ("", None, 4),
        ("0", None, 4),
        ("-2", None, 4),
        ("many", None, 4),
    ],
)
def test_openmps_number_is_heeded_within_what_there_is(openmp, numba, expected):
    given = {"OMP_NUM_THREADS": openmp, **({} if numba is None else {"NUMBA_NUM_THREADS": numba})}
    others = {k: v for k, v in os.environ.items() if k != "NUMBA_NUM_THREADS"}
    with (
        mock.patch.dict(os.environ, {**others, **given}, clear=True),
        mock.patch.object(os, "sched_getaffinity", lambda pid: set(range(8)), create=True),
        mock.patch.object(threads, "_cgroup_quota", lambda: 4.0),
    ):
        assert threads._default() == expected
        assert threads.most_threads() == int(numba or 8)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"/sys/fs/cgroup/cpu.max": "max 100000\n"}, float("inf")),
        ({"/sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"/sys/fs/cgroup/cpu.max": "nonsense"}, float("inf")),
        (
            {
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        (
            {
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            float("inf"),
        ),
        ({}, float("inf")),
    ],
)
def test_the_quota_is_read_from_either_version_of_cgroups(files, quota):
    def fake_open(path, *args):
        if path not in files:
            raise FileNotFoundError(path)
        return mock.mock_open(read_data=files[path])()

    with mock.patch("builtins.open", fake_open):
        assert threads._cgroup_quota() == quota


def run_in_threads(count, work):
    failures = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def lose_no_addend(rng) -> None:
    """Several Python threads call, and pull back through, one module; sums are checked.

    Gradients are made whole numbers of 1/1024, whose sums are exact in any order.
    """
    module = nn.LSTM(6, 20, num_layers=2, dtype="f8", seed=0)
    linear = nn.Linear(20, 5, dtype="f8", seed=0)
    embedding = nn.Embedding(9, 6, dtype="f8", seed=0)
    cases = [draw(rng, module, 5, 4) for _ in range(4)]
    tokens = [rng.integers(0, 9, (5, 4)) for _ in cases]
    everything = [*module.parameters(), *linear.parameters(), *embedding.parameters()]

    def step(number):
        case = cases[number]
        y, _ = module(case.x, case.hx)
        (y2, _), pullback = module.vjp(case.x, case.hx)
        assert np.array_equal(y, y2)
        _, back = linear.vjp(y2)
        dx, _ = pullback(case.dy + back(np.ones((5, 4, 5))), case.dstate)
        (_, _), pullback = module.vjp_tokens(embedding, tokens[number])
        pullback(case.dy)
        return y, dx

    alone, sums = [], [0.0] * len(everything)
    for number in range(4):
        for p in everything:
            p.grad = None
        alone.append(step(number))
        sums = [s + p.grad for s, p in zip(sums, everything)]
    for p in everything:
        p.grad = None
    turns = 6

    def work(number):
        for _ in range(turns):
            for found, expected in zip(step(number), alone[number]):
                assert np.array_equal(found, expected)

    run_in_threads(4, work)
    found = {str(k): p.grad for k, p in enumerate(everything)}
    assert_all_close(found, {str(k): turns * s for k, s in enumerate(sums)}, "f8")


def test_python_threads_share_a_module_and_lose_no_addend(rng):
    lose_no_addend(rng)


def test_python_threads_may_run_parallel_kernels_at_once(rng, monkeypatch, chosen_stays):
    monkeypatch.setattr(tuning, "MIN_PARALLEL_WORK", 0)
    nl.set_num_threads(min(2, threads.most_threads()))
    lose_no_addend(rng)


def test_a_module_that_several_threads_meet_first_is_packed_once_for_all(rng):
    for _ in range(5):
        module = nn.LSTM(6, 20, seed=0)
        case = draw(rng, module, 3, 2)
        results = [None] * 4

        def work(number, module=module, case=case, results=results):
            results[number] = module(case.x)[0]

        run_in_threads(4, work)
        expected = ours(module, case._replace(hx=None))["y"]
        assert all(np.array_equal(expected, y) for y in results)


FORK_PROGRAM = """
import hashlib, multiprocessing, os, signal, sys
import numpy as np
from numba_lstm import losses, nn, optim, threads, tuning
from lstm_tool import draw, ours
tuning.MIN_PARALLEL_WORK = 0
threads.set_num_threads(2)
module = nn.LSTM(6, 20, num_layers=2, bidirectional=True, seed=0)
linear = nn.Linear(40, 7, seed=0)
case = draw(np.random.default_rng(0), module, 5, 8)
tokens = np.random.default_rng(1).integers(0, 7, (5, 8))

def digest(_=None):
    signal.alarm(60)  # a child that hangs is a failure, not a test that never ends
    module(case.x)
    found = ours(module, case)
    y, back = linear.vjp(found["y"])
    _, dy = losses.cross_entropy(y, tokens)
    linear.zero_grad()
    back(dy)
    trained = nn.LSTM(6, 20, seed=1)
    optimizer = optim.Adam(trained.parameters())
    (y, _), pullback = trained.vjp(case.x)
    pullback(y)
    optimizer.step()
    arrays = [*found.values(), linear.weight.grad, *(p.numpy() for p in trained.parameters())]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()

expected = digest()
read, write = os.pipe()
child = os.fork()
if child == 0:
    try:
        os.write(write, digest().encode())
    finally:
        os._exit(0)
os.close(write)
found = os.read(read, 100).decode()
_, status = os.waitpid(child, 0)
assert status == 0, f"the child ended with status {status}"
assert found == expected, "the child computed other bits"
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert set(pool.map(digest, range(4))) == {expected}
assert digest() == expected  # the parent goes on
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_made_by_fork_infer_and_train_with_the_parents_bits():
    run_python(FORK_PROGRAM, NUMBA_NUM_THREADS="2")


HELD_PROGRAM = """
import os, signal, threading
import numpy as np
from numba_lstm import nn
from numba_lstm.parameters import scratch

module = nn.Linear(3, 4, seed=0)
x, dy = np.ones((2, 3), "f4"), np.ones((2, 4), "f4")
expected = module.vjp(x)[1](dy)
held, done = threading.Event(), threading.Event()

def hold():
    with scratch._lock, module.weight._lock, module.bias._lock:
        held.set()
        done.wait()

thread = threading.Thread(target=hold, daemon=True)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    status = 1
    try:
        signal.alarm(60)  # a child that hangs is a failure, not a test that never ends
        LOCKS
        status = 0
    finally:
        os._exit(status)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert code == 0, f"the child ended with {code}"
done.set()
thread.join()
assert np.array_equal(module.vjp(x)[1](dy), expected)  # the parent goes on
"""
HELD_USES = {
    "parameter": "module.weight[...] = 1; module.bias.grad = None",
    "scratch": "lease = scratch.Lease(); lease.array((9,), x.dtype); lease.release()",
    "compile": "nn.Linear(3, 4)(x); nn.GRU(3, 4, seed=0)(x[None])",
    "training": "assert np.array_equal(module.vjp(x)[1](dy), expected)",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("use", HELD_USES)
def test_a_child_waits_for_no_lock_that_another_thread_held_at_the_fork(use):
    run_python(HELD_PROGRAM.replace("LOCKS", HELD_USES[use]))


COMPILING_PROGRAM = """
import os, signal, threading, time
import numpy as np
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba_lstm import jit, nn
from numba_lstm.inlining import intermediate_only

finalize = JITCodeLibrary._finalize_final_module
compiling = threading.Event()

def compile():
    with global_compiler_lock, intermediate_only():
        compiling.set()
        time.sleep(0.5)

thread = threading.Thread(target=compile)
thread.start()
compiling.wait()
child = os.fork()
if child == 0:
    status = 1
    try:
        signal.alarm(60)
        assert JITCodeLibrary._finalize_final_module is finalize
        nn.Linear(3, 4, seed=0)(np.ones((2, 3), "f4"))
        status = 0
    finally:
        os._exit(status)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert code == 0, f"the child ended with {code}"
thread.join()
nn.Linear(3, 4, seed=0)(np.ones((2, 3), "f4"))  # the parent goes on
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_waits_until_another_thread_has_compiled():
    run_python(COMPILING_PROGRAM)


# Numba reads its environment anew before it compiles. Once its own threads run, it refuses another
# number of them.
CHANGED_PROGRAM = """
import os
os.environ.pop("NUMBA_NUM_THREADS", None)
import numpy as np
from numba import njit
from numba.core import config
from numba.np.ufunc import parallel
from numba_lstm import jit, simd, threads
simd.load_microkernels = lambda *about: None  # they take seconds, and nobody calls them here
parallel._launch_threads()  # as another package's parallel function does
os.environ.update(CHANGE)
if "sched_setaffinity" in CHANGE:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

try:
    njit(lambda x: x + 1)(1)
except RuntimeError as error:
    assert "NUMBA_NUM_THREADS" in str(error), error
else:
    raise AssertionError("numba has become more patient")

compiled = []
jit.on_compile(compiled.append)

@jit.driver
def fill(crew, nt, x):
    for q in range(x.size):
        x[q] = q

x = np.zeros(3)
threads.set_num_threads(threads.most_threads())
fill(threads.get_num_threads(), x)
assert x.tolist() == [0, 1, 2] and compiled == ["fill"]
assert config.OPT == 3, "what its key does not tell"
"""


@pytest.mark.parametrize("change", [{"NUMBA_NUM_THREADS": "77"}, {"sched_setaffinity": "less"}])
def test_a_number_of_threads_that_changes_after_numba_has_begun_stops_no_call(tmp_path, change):
    if "sched_setaffinity" in change and threads.most_threads() < 2:
        pytest.skip("one CPU, or no choice of CPUs")
    program = CHANGED_PROGRAM.replace("CHANGE", repr(change | {"NUMBA_OPT": "1"}))
    run_python(program, NUMBA_LSTM_CACHE_DIR=str(tmp_path))
