"""The target decides the vectors' width: other targets run, are right, and never abort."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lstm_tool import run_python

from numba_lstm.simd import TARGET

PROGRAM = """
import json
import numpy as np
from gradcheck import assert_close
from family_tool import by_reference, draw, ours
from lstm_tool import assert_all_close
from numba_lstm import nn
from numba_lstm.simd import TARGET
for dtype in {dtypes!r}:
    rng = np.random.default_rng(0)
    # Blocks of 1 to 6 rows, alone and behind full ones; a GRU's blocks are others.
    sizes = [("LSTM", 5, 37, batch) for batch in (1, 2, 3, 4, 5, 7, 8, 9, 13)]
    sizes += [("GRU", 5, 37, batch) for batch in {of_gru!r}]
    for name, inputs, hidden, batch in sizes:
        both = batch in (3, 13)
        module = getattr(nn, name)(inputs, hidden, bidirectional=both, dtype=dtype, seed=0)
        case = draw(rng, module, 4, batch)
        assert_all_close(ours(module, case), by_reference(module, case), dtype, (name, batch))
    linear = nn.Linear(37, 70, dtype=dtype, seed=0)
    x = rng.standard_normal((9, 37)).astype(dtype)
    y, pullback = linear.vjp(x)
    w = linear.weight.numpy().astype("f8")
    assert_close(y, x @ w.T + linear.bias.numpy(), 1e-6)
    assert_close(pullback(y), y.astype("f8") @ w, 1e-6)
    assert_close(linear.weight.grad, y.astype("f8").T @ x, 1e-6)
print(json.dumps([TARGET.vector_bytes, TARGET.registers, TARGET.fma]))
"""


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names of x86")
@pytest.mark.parametrize(
    ("environment", "dtypes", "of_gru", "expected"),
    [
        ({"NUMBA_CPU_NAME": "haswell"}, ["f4", "f8"], [1, 2, 3, 4, 6, 9], [32, 16, True]),
        ({"NUMBA_CPU_NAME": "x86-64"}, ["f4"], [], [16, 16, False]),
        ({"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}, ["f4", "f8"], [], [16, 16, False]),
    ],
    ids=["haswell", "x86-64", "x86-64 without features"],
)
def test_layers_are_right_on_another_target(environment, dtypes, of_gru, expected):
    out = run_python(PROGRAM.format(dtypes=dtypes, of_gru=of_gru), **environment)
    assert json.loads(out) == expected


@pytest.mark.skipif(TARGET.registers == 16, reason="the other tests run on 16 registers themselves")
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names of x86")
def test_blocks_packing_and_products_are_right_on_16_registers():
    tests = ["simd/test_microkernel.py", "kernels/test_pack.py", "kernels/test_gemm.py"]
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [str(folder / test) for test in tests],
        env={**os.environ, "NUMBA_CPU_NAME": "haswell"},
        capture_output=True,
        text=True,
        cwd=folder.parent,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_the_target_is_consistent():
    assert TARGET.vector_bytes in (16, 32, 64)
    for dtype in ("f4", "f8"):
        itemsize = np.dtype(dtype).itemsize
        assert TARGET.lanes(itemsize) * itemsize == TARGET.vector_bytes
    assert TARGET.blocking.blocks[TARGET.blocking.strip].mr >= 4


def test_without_the_compiler_one_line_names_the_variable():
    program = """
import numpy as np
from numba_lstm import nn
try:
    nn.LSTM(3, 4)(np.ones((2, 2, 3)))
except ValueError as error:
    print(error)
"""
    said = run_python(program, NUMBA_DISABLE_JIT="1")
    assert (
        said.startswith("NUMBA_DISABLE_JIT: expected 0 or unset, got 1") and said.count("\n") == 1
    )
