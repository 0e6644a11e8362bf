"""Compiling: kernels and drivers, and who hears of it."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from cache_tool import MADE, PROGRAM, put_microkernels
from long_tool import LONG
from lstm_tool import ROOT, run_python
from numba.core.compiler_lock import global_compiler_lock

from numba_lstm import compile_cache, jit, threads
from numba_lstm.jit import driver, kernel
from numba_lstm.parts import parts


@kernel
def _double(x):
    return 2 * x


@kernel
def _double_part(q, nt, x, y):
    for i in range(q * x.size // nt, (q + 1) * x.size // nt):
        y[i] = _double(x[i])


@driver
def _doubled(crew, nt, x, y):
    """y = 2·x, and in y's last item the number of parts."""
    parts(crew, nt, _double_part, (nt, x, y))
    y[x.size] = nt


def test_a_driver_computes_the_same_on_any_number_of_threads_and_is_compiled_once():
    x = np.arange(101.0)
    for nt in range(1, threads.most_threads() + 3):
        y = np.empty(102)
        _doubled(nt, x, y)
        assert np.array_equal(y[:-1], 2 * x) and y[-1] == nt
    assert len(_doubled.compiled().signatures) == 1


def test_a_driver_keeps_its_name_and_documentation_and_the_plain_function():
    assert _doubled.__name__ == "_doubled" and _doubled.__doc__.startswith("y = 2")
    assert _doubled.function.__name__ == "_doubled"


def test_kernels_have_no_fast_math_and_divide_as_numpy_does():
    assert jit.FLAGS["fastmath"] is False

    @kernel
    def quotient(x, y):
        return x / y

    assert np.isinf(quotient(1.0, 0.0)) and np.isnan(quotient(0.0, 0.0))


def test_callbacks_are_called_until_they_are_taken_away(tmp_path):
    # A process and a cache of its own: whatever was compiled before would not be compiled again.
    put_microkernels(tmp_path)
    program = """
import numpy as np
from numba_lstm import jit
from numba_lstm.kernels import pack
from numba_lstm.simd import TARGET
names, more = [], []
jit.on_compile(names.append)
jit.on_compile(more.append)
w = np.ones((8, 5), "f4")
out = np.empty(pack.packed_rows_shape(1, 8, 5, TARGET.lanes(4)), "f4")
pack.pack_rows(1, w, 1, pack.PLAIN, 0, out)
pack.pack_rows(1, w, 1, pack.PLAIN, 0, out)
assert names == more == ["pack_rows"], names
jit.on_compile(None)
pack.unpack_rows(1, out, 1, pack.PLAIN, 0, False, w)
assert names == more == ["pack_rows"], names
"""
    run_python(program, NUMBA_LSTM_CACHE_DIR=str(tmp_path))


def test_symbols_of_drivers_of_one_name_and_other_gates_differ():
    def symbol(gate):
        @jit.named_driver("made")
        def made(crew, nt, x):
            for q in range(nt):
                x[q] = gate(x[q])

        return made.compiled().py_func.__qualname__

    first, second = kernel(lambda x: x + 1), kernel(lambda x: x + 2)
    assert symbol(first) == symbol(first) != symbol(second)


@pytest.mark.parametrize("stream", ["None", "Logger()", "closed"])
def test_a_standard_error_that_is_no_file_does_not_stop_the_first_call(stream):
    program = f"""
import io, sys
from numba_lstm import jit

class Logger:
    def write(self, text):
        pass

    def flush(self):
        pass

closed = io.StringIO()
closed.close()
sys.stderr = {stream}
jit._missing("a driver")
print("went on")
"""
    assert run_python(program, NUMBA_LSTM_QUIET="") == "went on\n"


FIRST_CALL = """
import sys
import numpy as np
from numba_lstm.jit import driver, on_compile

@driver
def first(crew, nt, x):
    for q in range(nt):
        x[q] = 1

@driver
def second(crew, nt, x):
    for q in range(nt):
        x[q] = 2

if "listen" in sys.argv:
    on_compile(lambda name: None)
first(1, np.zeros(2))
second(1, np.zeros(2))
"""
LINE = "numba_lstm: compiling kernels (kept for next time) ..."


def said(folder, *arguments, terminal=True, **environment) -> list[str]:
    """The lines on standard error of a process whose first calls compile two drivers."""
    put_microkernels(folder)
    about = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NUMBA_LSTM_CACHE_DIR": str(folder),
        "NUMBA_LSTM_QUIET": "",
        **environment,
    }
    command = [sys.executable, "-c", FIRST_CALL, *arguments]
    if not terminal:
        return subprocess.run(command, env=about, capture_output=True, text=True).stderr.split()
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(command, env=about, stdout=subprocess.PIPE, stderr=theirs)
        os.set_blocking(ours, False)
        try:
            text = os.read(ours, 100_000).decode()
        except BlockingIOError:
            text = ""
        assert (done.returncode, done.stdout) == (0, b""), text
        return text.splitlines()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals to make")
def test_a_terminal_is_told_once_when_something_is_compiled_and_not_when_it_is_loaded(tmp_path):
    assert said(tmp_path / "first") == [LINE]
    assert said(tmp_path / "first") == []


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals to make")
def test_nothing_is_said_where_nobody_waits_or_somebody_else_tells(tmp_path):
    assert said(tmp_path / "pipe", terminal=False) == []
    assert said(tmp_path / "quiet", NUMBA_LSTM_QUIET="1") == []
    assert said(tmp_path / "listen", "listen") == []


# Several processes

# PROGRAM, which tells what was written, too.
TOLD = """
from numba_lstm import compile_cache
written, write = [], compile_cache.write
def noted(name, data):
    written.append(name)
    write(name, data)
compile_cache.write = noted
PROGRAM
print(json.dumps(written))
""".replace("PROGRAM", PROGRAM)


def test_processes_that_begin_at_once_compile_each_driver_once(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "tools")]),
        "NUMBA_LSTM_CACHE_DIR": str(tmp_path),
    }
    begun = [
        subprocess.Popen([sys.executable, "-c", TOLD], env=environment, stdout=subprocess.PIPE)
        for _ in range(8 if LONG else 3)
    ]
    ended = [(one.communicate(timeout=300)[0], one.returncode) for one in begun]
    assert [code for _, code in ended] == [0] * len(begun)
    told = [[json.loads(line) for line in out.splitlines()] for out, _ in ended]
    compiled = collections.Counter(name for (names, _), _ in told for name in names)
    written = collections.Counter(name.split(".")[0] for _, names in told for name in names)
    assert compiled == collections.Counter(MADE)
    assert written == collections.Counter([*MADE, "microkernels_f32", "microkernels_f64"])
    assert [warnings for (_, warnings), _ in told] == [[]] * len(begun)


@pytest.fixture
def turns(monkeypatch):
    """The names for which this process has waited for its turn; nothing is kept."""
    taken = []
    jit.load_microkernels()  # which have a turn of their own

    @contextlib.contextmanager
    def turn(name):
        assert not global_compiler_lock.is_locked(), "others, and forks, would wait as long"
        taken.append(name)
        yield

    monkeypatch.setattr(compile_cache, "turn", turn)
    monkeypatch.setattr(compile_cache, "read", lambda name: None)
    monkeypatch.setattr(compile_cache, "write", lambda name, data: None)
    return taken


def made(value):
    @driver
    def fill(crew, nt, x):
        for q in range(x.size):
            x[q] = value

    return fill


def test_what_is_not_kept_is_compiled_in_turn_and_each_signature_in_its_own(turns):
    fill = made(1)
    for x in (np.zeros(2), np.zeros(2), np.zeros(2, "f4")):
        fill(1, x)
        assert x.tolist() == [1, 1]
    assert len(set(turns)) == len(turns) == 2
    made(2)(1, np.zeros(2))
    assert len(set(turns)) == 3


def test_a_callback_that_computes_waits_for_no_turn(turns):
    inner, computed = made(3), np.zeros(2)

    def compute(name):
        jit.on_compile(None)
        inner(1, computed)

    jit.on_compile(compute)
    try:
        x = np.zeros(2)
        made(4)(1, x)
    finally:
        jit.on_compile(None)
    assert x.tolist() == [4, 4] and computed.tolist() == [3, 3]
    assert len(turns) == 1
