"""Compiling: serial and parallel variants, the cache on disk and what may happen to it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from lstm_tool import run_python

from numba_lstm import jit, threads
from numba_lstm.jit import driver, kernel, prange


@kernel
def _double(x):
    return 2 * x


@driver
def _parts(nt, x, y):
    """y = 2·x, and in y's last item the number of parts."""
    for q in prange(nt):
        for i in range(q * x.size // nt, (q + 1) * x.size // nt):
            y[i] = _double(x[i])
    y[x.size] = nt


def test_a_driver_runs_serially_or_in_parallel_and_computes_the_same():
    x = np.arange(101.0)
    for nt in range(1, threads.most_threads() + 1):
        y = np.empty(102)
        _parts(nt, x, y)
        assert np.array_equal(y[:-1], 2 * x) and y[-1] == nt


def test_a_driver_keeps_its_name_and_documentation_and_the_plain_function():
    assert _parts.__name__ == "_parts" and _parts.__doc__.startswith("y = 2")
    y = np.empty(4)
    _parts.function(2, np.ones(3), y)
    assert np.array_equal(y, [2, 2, 2, 2])


def test_kernels_have_no_fast_math_and_divide_as_numpy_does():
    assert jit.FLAGS["fastmath"] is False

    @kernel
    def quotient(x, y):
        return x / y

    assert np.isinf(quotient(1.0, 0.0)) and np.isnan(quotient(0.0, 0.0))


def test_callbacks_are_called_until_they_are_taken_away(tmp_path):
    # A process and a cache of its own: whatever was compiled before would not be compiled again.
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
assert names == more == ["pack_rows_serial"], names
jit.on_compile(None)
pack.unpack_rows(1, out, 1, pack.PLAIN, 0, False, w)
assert names == more == ["pack_rows_serial"], names
"""
    run_python(program, NUMBA_LSTM_CACHE_DIR=str(tmp_path))


def test_the_folder_is_named_after_every_source_file(monkeypatch, tmp_path):
    package = tmp_path / "numba_lstm"
    (package / "kernels").mkdir(parents=True)
    (package / "jit.py").write_text("a")
    (package / "kernels" / "gemm.py").write_text("b")
    monkeypatch.setattr(jit, "__file__", str(package / "jit.py"))
    keys = {jit._sources_hash()}
    for path, text in (("kernels/gemm.py", "c"), ("jit.py", "d"), ("kernels/new.py", "")):
        (package / path).write_text(text)
        keys.add(jit._sources_hash())
    (package / "kernels" / "gemm.py").rename(package / "kernels" / "gemm2.py")
    keys.add(jit._sources_hash())
    assert len(keys) == 5
    assert jit._sources_hash() in keys


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NUMBA_LSTM_CACHE_DIR": "/a/b", "NUMBA_CACHE_DIR": "/c"}, "/a/b"),
        ({"NUMBA_CACHE_DIR": "/c"}, "/c/numba_lstm"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/numba_lstm"),
        ({"HOME": "/e"}, "/e/.cache/numba_lstm"),
    ],
)
def test_the_environment_chooses_the_folder(monkeypatch, environment, expected):
    for name in ("NUMBA_LSTM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jit.sys, "platform", "linux")
    assert jit._user_cache() == Path(expected)


# A small LSTM-free program: packing compiles in a third of a second.
PROGRAM = """
import warnings
import numpy as np
from numba_lstm import jit
from numba_lstm.kernels import pack
from numba_lstm.simd import TARGET
compiled = []
jit.on_compile(compiled.append)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    w = np.arange(40, dtype="f4").reshape(8, 5)
    out = np.empty(pack.packed_rows_shape(1, 8, 5, TARGET.lanes(4)), "f4")
    back = np.zeros_like(w)
    pack.pack_rows(1, w, 1, pack.PLAIN, 0, out)
    pack.unpack_rows(1, out, 1, pack.PLAIN, 0, False, back)
assert np.array_equal(back, w)
print(len(compiled), sum("numba_lstm" in str(c.message) for c in caught), *compiled)
"""


def run(cache: Path | str, **environment: str) -> tuple[int, int, list[str]]:
    """How many drivers were compiled, how many warnings there were, which drivers."""
    out = run_python(PROGRAM, NUMBA_LSTM_CACHE_DIR=str(cache), **environment).split()
    return int(out[0]), int(out[1]), out[2:]


def cached_files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_what_was_compiled_is_found_again_and_damage_only_costs_a_compile(tmp_path):
    names = ["pack_rows_serial", "unpack_rows_serial"]
    assert run(tmp_path) == (2, 0, names)
    files = cached_files(tmp_path)
    assert {path.suffix for path in files} == {".nbc", ".o"}
    assert run(tmp_path) == (0, 0, [])
    whole = {path: path.read_bytes() for path in files}
    for path, content in whole.items():  # all at once: the end cut off
        path.write_bytes(content[: len(content) // 2])
    assert run(tmp_path) == (2, 0, names)
    assert run(tmp_path) == (0, 0, []), "the damaged files were not replaced"
    for path in cached_files(tmp_path):
        path.write_bytes(b"")
    assert run(tmp_path)[0] == 2
    for path in cached_files(tmp_path):
        path.write_bytes(b"something else altogether" * 100)
    assert run(tmp_path)[0] == 2
    assert run(tmp_path) == (0, 0, [])


def test_a_folder_that_cannot_be_written_to_warns_once_and_works(tmp_path):
    # A file where the folder should be stops every user, root as well.
    blocked = tmp_path / "file"
    blocked.write_text("")
    count, warned, _ = run(blocked / "cache")
    assert (count, warned) == (2, 1)
    assert blocked.read_text() == ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_warns_once_and_works(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert run(tmp_path / "cache")[:2] == (2, 1)
    finally:
        tmp_path.chmod(0o700)


def test_a_home_that_is_no_folder_warns_once_and_works(tmp_path):
    environment = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/dev/null"}
    assert run("", TMPDIR=str(tmp_path), **environment)[:2] == (2, 1)
    assert cached_files(tmp_path)


def test_a_disk_that_fills_up_while_saving_only_warns(tmp_path):
    program = (
        """
import errno, warnings
import numba.core.caching as caching
def full(self, *args):
    raise OSError(errno.ENOSPC, "No space left on device")
caching.IndexDataCacheFile._save_data = full
"""
        + PROGRAM
    )
    out = run_python(program, NUMBA_LSTM_CACHE_DIR=str(tmp_path)).split()
    assert out[0] == "2" and int(out[1]) >= 1


def test_another_target_has_its_own_entries(tmp_path):
    first = run(tmp_path)
    other = run(tmp_path, NUMBA_CPU_NAME="x86-64") if os.uname().machine == "x86_64" else first
    assert other[:2] == (2, 0)
    assert run(tmp_path) == (0, 0, [])
