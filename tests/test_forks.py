"""Children made while other threads compile or load, by us or by others, compute and end."""

from __future__ import annotations

import os
import sys
import types

import pytest
from long_tool import LONG
from lstm_tool import run_python

from numba_lstm import _forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Lock:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def __enter__(self):
        self.log.append(f"take {self.name}")

    def __exit__(self, *about):
        self.log.append(f"give {self.name}")


def modules(monkeypatch, log):
    """Make two modules with locks that tell, and give what imports them."""
    numba = types.SimpleNamespace(global_compiler_lock=Lock("numba", log))
    llvmlite = types.SimpleNamespace(lib=types.SimpleNamespace(_lock=Lock("llvmlite", log)))
    names = ("numba.core.compiler_lock", "llvmlite.binding.ffi")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return lambda: [monkeypatch.setitem(sys.modules, *one) for one in zip(names, (numba, llvmlite))]


def test_a_fork_takes_the_locks_in_order_and_gives_them_back(monkeypatch):
    log = []
    modules(monkeypatch, log)()
    _forks._before()
    _forks._after()
    assert log == ["take numba", "take llvmlite", "give llvmlite", "give numba"]


def test_a_fork_gives_back_nothing_that_was_imported_in_between(monkeypatch):
    log = []
    imported = modules(monkeypatch, log)
    _forks._before()
    imported()
    _forks._after()
    assert log == []


def test_a_fork_within_a_fork_gives_back_its_own(monkeypatch):
    log = []
    imported = modules(monkeypatch, log)
    _forks._before()
    imported()
    _forks._before()  # in a signal's handler
    _forks._after()
    assert log == ["take numba", "take llvmlite", "give llvmlite", "give numba"]
    _forks._after()
    assert len(log) == 4


def test_the_locks_are_found_in_the_numba_and_llvmlite_that_are_installed():
    from llvmlite.binding import ffi
    from numba.core.compiler_lock import global_compiler_lock

    assert list(_forks._locks()) == [global_compiler_lock, ffi.lib._lock]


def test_a_fork_imports_nothing():
    program = """
import sys
import numba_lstm
from forks_tool import child, wait

before = set(sys.modules)
def same():
    assert set(sys.modules) == before, set(sys.modules) - before
wait(child(same))
same()
assert not {"numba", "llvmlite", "numpy"} & before
"""
    run_python(program)


# In processes of their own, in which other threads are in the middle of something.

BESIDE = """
import numba_lstm
import sys
assert "numba" not in sys.modules  # a server that preloads
import logging, signal, threading, time
from forks_tool import child, compute, wait

signal.alarm(100)
begun = threading.Event()
IMPORTS

def pause():
    # The other thread is then in the middle of it.
    begun.set()
    time.sleep(0.5)

def work():
    WORK

thread = threading.Thread(target=work)
thread.start()
begun.wait()

def both():
    grandchild = child(compute)
    compute()
    wait(grandchild)

ended = child(both)
thread.join()
wait(ended)
compute()  # the parent goes on
"""
WORKS = {
    "another package compiles": """
    from numba import njit
    from numba.core import event
    class Begin(event.Listener):
        def on_start(self, about):
            if not begun.is_set():
                pause()
        def on_end(self, about):
            pass
    event.register("numba:compile", Begin())
    njit(lambda x: x + 1)(1)
""",
    "another package is inside of LLVM": """
    from llvmlite.binding import ffi
    with ffi.lib._lock:
        pause()
""",
    "numba compiles and makes a logger": """
    from numba.core.compiler_lock import global_compiler_lock
    with global_compiler_lock:
        pause()
        logging.getLogger("of a module that numba imports late")
""",
}


@pytest.mark.parametrize("work", WORKS)
def test_a_fork_waits_for_whoever_compiles_once_the_package_is_imported(work):
    imports = "" if "another" in work else "from numba_lstm.kernels import pack"
    run_python(BESIDE.replace("IMPORTS", imports).replace("    WORK\n", WORKS[work]))


# Processes that have everything imported and nothing compiled, each with a thread that does, and a
# child from a random moment of that.
RANDOM = """
import os, random, shutil, sys, threading, time
from pathlib import Path
import numpy as np
from forks_tool import child, wait
from numba import njit
from numba_lstm.jit import driver
from numba_lstm.kernels import pack

njit(lambda x: x + 1)(1)  # what numba does once only
FOLDER, FORKS = Path(sys.argv[1]), int(sys.argv[2])
random = random.Random(0)
reader, told = os.pipe()

@driver
def fill(crew, nt, x):
    for q in range(x.size):
        x[q] = q + nt

def compute():
    x = np.zeros(3)
    fill(2, x)
    assert x.tolist() == [2, 3, 4]

def timed():
    begin = time.perf_counter()
    compute()
    os.write(told, str(time.perf_counter() - begin).encode())

def fork_meanwhile(longest):
    thread = threading.Thread(target=compute)
    thread.start()
    time.sleep(random.uniform(0, longest))
    os.write(told, b"1" if thread.is_alive() else b"0")
    ended = child(compute)
    thread.join()
    wait(ended)

def told_by(work, name, kept):
    # A process with a cache of its own.
    folder = FOLDER / name
    folder.mkdir()
    for path in kept:
        shutil.copy(path, folder)
    os.environ["NUMBA_LSTM_CACHE_DIR"] = str(folder)
    wait(child(work, 120))
    return float(os.read(reader, 100))

told_by(lambda: fork_meanwhile(2), "all", [])  # the microkernels, too
for kind, kept in ("compiled", "microkernels*"), ("loaded", "*.bin"):
    kept = list((FOLDER / "all").glob(kept))
    longest = told_by(timed, kind, kept)
    count = 0
    for n in range(FORKS):
        random.random()  # children do not move it on
        count += told_by(lambda: fork_meanwhile(longest), f"{kind}{n}", kept)
    print(f"{kind}: {count:.0f} of {FORKS} forks were asked for meanwhile, in {longest:.3f} s")
    # To load takes 0.04 s, and on a busy machine most forks come before or after it.
    assert count > (FORKS // 6 if kind == "compiled" else 0), "too few forks came in time"
"""


def test_children_made_at_any_moment_while_a_thread_compiles_or_loads_compute(tmp_path):
    forks = 100 if LONG else 8
    argv = f"import sys; sys.argv[1:] = [{str(tmp_path)!r}, {forks}]\n"
    print(run_python(argv + RANDOM))


POOL = """
import multiprocessing, signal, sys
import numba, numba_lstm
import numpy as np
from forks_tool import compute
from numba import njit, prange

signal.alarm(200)

@njit(parallel=True)
def total(x):
    found = 0.0
    for i in prange(x.size):
        found += x[i]
    return found

try:
    assert total(np.ones(1000)) == 1000
except ValueError as error:
    assert "threading layer" in str(error), error
    print("absent")
    sys.exit()
print(numba.threading_layer())
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(compute, range(4))
    pool.close()
    pool.join()
compute()
"""


@pytest.mark.parametrize("layer", ["omp", "tbb", "workqueue"])
def test_a_pool_of_children_ends_after_another_packages_parallel_function(layer):
    found = run_python(POOL, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2").strip()
    if found == "absent":
        pytest.skip(f"numba has no layer {layer} here")
    assert found == layer
