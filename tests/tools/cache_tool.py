"""Programs that compile a little in processes of their own, and copies of the package to edit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lstm_tool import ROOT, run_python

PACKAGE = ROOT / "numba_lstm"

_PROGRAM = """
import json, warnings
import numpy as np
from numba_lstm import jit
compiled = []
jit.on_compile(compiled.append)
{first}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
{calls}
print(json.dumps([compiled, [str(c.message) for c in caught if "numba_lstm" in str(c.message)]]))
assert np.array_equal(back, w)
"""

# Two drivers of the program's own, that compile at once.
MADE = ["double", "halve"]
PROGRAM = _PROGRAM.format(
    first="""
@jit.driver
def double(crew, nt, x, out):
    out[0] = 2.0 * x[0]

@jit.driver
def halve(crew, nt, x, out):
    out[0] = 0.5 * x[0]
""",
    calls="""
    w, out, back = np.full(1, 3.0), np.empty(1), np.empty(1)
    double(1, w, out)
    halve(1, out, back)
""",
)

# Two of the package, that compile for two seconds.
PACKING = ["pack_rows", "unpack_rows"]
PACK = _PROGRAM.format(
    first="""
from numba_lstm.kernels import pack
from numba_lstm.simd import TARGET
""",
    calls="""
    w = np.arange(40, dtype="f4").reshape(8, 5)
    out = np.empty(pack.packed_rows_shape(1, 8, 5, TARGET.lanes(4)), "f4")
    back = np.zeros_like(w)
    pack.pack_rows(1, w, 1, pack.PLAIN, 0, out)
    pack.unpack_rows(1, out, 1, pack.PLAIN, 0, False, back)
""",
)


def put_microkernels(cache: Path) -> None:
    """Give a cache those of this process: they compile for 1.3 s, and are another test's matter."""
    from numba_lstm import compile_cache, jit

    jit.load_microkernels()
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    for path in Path(compile_cache.cache_folder() or cache).glob("microkernels_*.bin"):
        shutil.copy(path, cache)


def run(cache: Path | str, **environment: str) -> tuple[list[str], list[str]]:
    """Which drivers of `PROGRAM` were compiled, and what was warned of."""
    compiled, warned = json.loads(
        run_python(PROGRAM, NUMBA_LSTM_CACHE_DIR=str(cache), **environment)
    )
    return compiled, warned


@contextlib.contextmanager
def cache_in(folder: Path) -> Iterator[None]:
    """Within it this process keeps its kernels in this folder, and has warned of nothing."""
    from numba_lstm import compile_cache

    remembering = compile_cache.cache_folder, compile_cache._prune
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_LSTM_CACHE_DIR", str(folder))
        patch.setattr(compile_cache, "_warned", False)
        for function in remembering:
            function.cache_clear()
        yield
    for function in remembering:
        function.cache_clear()


def in_folder(folder: Path, program: str, path: Path | None = None, **environment: str) -> str:
    """Run a program with what it imports taken from this folder, or `path`, first."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(path or folder), str(ROOT)]),
            "PYTHONSAFEPATH": "1",
            "NUMBA_LSTM_CACHE_DIR": str(folder / "cache"),
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)
