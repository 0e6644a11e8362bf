"""Kernels that are called as functions of their own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from cli_tool import environment

from numba_lstm.jit import driver, kernel
from numba_lstm.simd import at, call_apart, lanes, load, store


@kernel
def _scaled(source, target, vectors, factor):
    v = lanes(source)
    for i in range(vectors[0], vectors[1]):
        store(target, i * v, load(source, i * v) * factor)


@driver
def _two_calls(crew, nt, source, target):
    # Both call one function, which is defined once.
    half = source.shape[0] // lanes(source) // 2
    call_apart(_scaled, (at(source, (0,)), at(target, (0,)), (0, half), 2.0))
    call_apart(_scaled, (at(source, (0,)), at(target, (0,)), (half, 2 * half), 3.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_called_apart_gets_all_its_arguments(dtype):
    source, target = np.arange(64, dtype=dtype), np.zeros(64, dtype)
    _two_calls(1, source, target)
    assert (target[:32] == 2 * source[:32]).all() and (target[32:] == 3 * source[32:]).all()


# Makes drivers that multiply by their argument's number, and prints what those give for 1.
PROGRAM = """
import sys
import numpy as np
from numba_lstm.jit import kernel, named_driver
from numba_lstm.simd import at, call_apart, load, store

def make(factor):
    @kernel
    def times(source, target):
        store(target, 0, load(source, 0) * factor)

    @named_driver(f"times_{factor}")
    def run(crew, nt, source, target):
        call_apart(times, (at(source, (0,)), at(target, (0,))))

    return run

for factor in map(float, sys.argv[1:]):
    target = np.zeros(16, np.float32)
    make(factor)(1, np.ones(16, np.float32), target)
    print(target[0])
"""


def test_kernels_of_two_processes_that_numba_numbers_alike_are_not_mixed_up(tmp_path):
    """Each process compiles one driver; the last one loads both."""
    (tmp_path / "program.py").write_text(PROGRAM)
    told = [
        subprocess.run(
            [sys.executable, "program.py", *factors], cwd=tmp_path, text=True, check=True,
            env=environment(NUMBA_CACHE_DIR=str(tmp_path / "cache")), capture_output=True,
        ).stdout.split()
        for factors in (["2"], ["3"], ["2", "3"])
    ]  # fmt: skip
    assert told == [["2.0"], ["3.0"], ["2.0", "3.0"]]
