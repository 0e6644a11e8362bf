"""The target decides the vectors' width: other targets run, are right, and never abort."""

from __future__ import annotations

import json
import platform

import numpy as np
import pytest
from lstm_tool import run_python

from numba_lstm.simd import TARGET

PROGRAM = """
import json
import numpy as np
from gradcheck import assert_close
from lstm_tool import assert_all_close, by_reference, draw, ours
from numba_lstm import nn
from numba_lstm.simd import TARGET
for dtype in {dtypes!r}:
    rng = np.random.default_rng(0)
    for sizes, batch in (((5, 37), 3), ((3, 9), 13)):
        module = nn.LSTM(*sizes, bidirectional=True, dtype=dtype, seed=0)
        case = draw(rng, module, 4, batch)
        found = ours(module, case)
        assert np.array_equal(module(case.x, case.hx)[0], found["y"])
        assert_all_close(found, by_reference(module, case), dtype)
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
    ("environment", "dtypes", "expected"),
    [
        ({"NUMBA_CPU_NAME": "haswell"}, ["f4", "f8"], [32, 16, True]),
        ({"NUMBA_CPU_NAME": "x86-64"}, ["f4"], [16, 16, False]),
        ({"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}, ["f4", "f8"], [16, 16, False]),
    ],
    ids=["haswell", "x86-64", "x86-64 without features"],
)
def test_an_lstm_is_right_on_another_target(environment, dtypes, expected):
    out = run_python(PROGRAM.format(dtypes=dtypes), **environment)
    assert json.loads(out) == expected


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
