"""Programs that compile a little in processes of their own, and copies of the package to edit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lstm_tool import ROOT, run_python

PACKAGE = ROOT / "numba_lstm"

# Packing compiles in a third of a second.
PROGRAM = """
import json, warnings
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
print(json.dumps([compiled, [str(c.message) for c in caught if "numba_lstm" in str(c.message)]]))
assert np.array_equal(back, w)
"""
PACKING = ["pack_rows", "unpack_rows"]


def run(cache: Path | str, **environment: str) -> tuple[list[str], list[str]]:
    """Which drivers were compiled, and what was warned of."""
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
