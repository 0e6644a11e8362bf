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
from long_tool import LONG, only_long
from lstm_tool import run_python

from numba_lstm.simd import TARGET
from numba_lstm.simd.target_probe import host_features

X86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="names of x86"
)
# What a machine must have to run code for them.
NEEDS = {
    "haswell": "avx2 fma bmi2",
    "znver3": "avx2 fma bmi2 sse4a vaes vpclmulqdq",
    "skylake-avx512": "avx512f avx512bw avx512dq avx512vl bmi2",
    "x86-64": "",
}

PROGRAM = """
import json
import numpy as np
from gradcheck import assert_close
from family_tool import by_reference, draw, ours
from lstm_tool import assert_all_close
from numba_lstm import nn
from numba_lstm.simd import TARGET
for name, dtype in {layers!r}:
    rng = np.random.default_rng(0)
    # Blocks of 1 to 6 rows, alone and behind full ones; a GRU's blocks are others.
    for batch in (1, 2, 3, 4, 5, 6, 7, 9, 13):
        both = batch in (3, 13)
        module = getattr(nn, name)(5, 37, bidirectional=both, dtype=dtype, seed=0)
        case = draw(rng, module, 4, batch)
        assert_all_close(ours(module, case), by_reference(module, case), dtype, (name, batch))
for dtype in {linear!r}:
    rng = np.random.default_rng(0)
    module = nn.Linear(5, 37, dtype=dtype, seed=0)
    W, b = (p.numpy().astype("f8") for p in module.parameters())
    for rows in (1, 2, 3, 4, 5, 6, 7, 9, 13, 40):
        x, dy = (rng.standard_normal((rows, n)).astype(dtype) for n in (5, 37))
        found, expected = dict(y=module(x)), dict(y=x @ W.T + b)
        if {gradients}:
            module.zero_grad()
            y, pullback = module.vjp(x)
            assert np.array_equal(y, found["y"])
            found |= dict(dx=pullback(dy), W=module.weight.grad, b=module.bias.grad)
            expected |= dict(dx=dy @ W, W=dy.T @ x.astype("f8"), b=dy.sum(0, "f8"))
        assert_all_close(found, expected, dtype, rows)
print(json.dumps([TARGET.cpu, TARGET.vector_bytes, TARGET.registers, TARGET.fma]))
"""


def only_the(cpu: str) -> dict[str, str]:
    """The environment that compiles for `cpu`: without features, drivers get none of the host's."""
    host = {name for name, has in host_features().items() if has}
    if lacking := {*NEEDS[cpu].split()} - host:
        pytest.skip(f"this machine lacks {sorted(lacking)}")
    return {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}


@X86
@pytest.mark.parametrize(
    ("cpu", "layers", "linear", "expected"),
    [
        ("haswell", [("GRU", "f8")], [], [32, 16, True]),
        ("znver3", [], ["f4"], [32, 16, True]),
        ("x86-64", [("LSTM", "f4")], [], [16, 16, False]),
        ("skylake-avx512", [], ["f8"], [64, 32, True]),
    ],
)
def test_layers_are_right_on_another_target(cpu, layers, linear, expected):
    """A time loop compiles for 10 s, and so all cells in both dtypes are for NUMBA_LSTM_LONG=1.

    Those of each width of vectors are run daily. Of znver3 that is haswell's, and of skylake-avx512
    that of machines which have it: of these two targets products are run daily, and no gradients.
    """
    if LONG:
        linear = ["f4", "f8"]
        layers = [(name, dtype) for name in ("LSTM", "GRU", "RNN") for dtype in linear]
    program = PROGRAM.format(layers=layers, linear=linear, gradients=LONG)
    out = run_python(program, **only_the(cpu))
    assert json.loads(out) == [cpu, *expected]


@X86
@only_long
@pytest.mark.parametrize("cpu", NEEDS)
def test_all_modules_are_right_on_another_target(cpu):
    """In their daily versions: the long ones try more schedules, which no target changes."""
    run_tests("nn", "simd/test_vector.py", "simd/test_memory.py", **only_the(cpu))


@pytest.mark.skipif(TARGET.registers == 16, reason="the other tests run on 16 registers themselves")
@X86
def test_blocks_packing_and_products_are_right_on_16_registers():
    tests = ["simd/test_microkernel.py", "kernels/test_pack.py", "kernels/test_gemm.py"]
    run_tests(*tests, **only_the("haswell"))


def run_tests(*tests: str, **environment: str) -> None:
    """Run the daily versions of test files or folders in a process of their own."""
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [str(folder / test) for test in tests],
        env={**os.environ, **environment, "NUMBA_LSTM_LONG": "0"},
        capture_output=True,
        text=True,
        cwd=folder.parent,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    print(*environment.values(), done.stdout.splitlines()[-1])  # what .ci/long counts


def test_the_target_is_consistent():
    assert TARGET.vector_bytes in (16, 32, 64)
    for dtype in ("f4", "f8"):
        itemsize = np.dtype(dtype).itemsize
        assert TARGET.lanes(itemsize) * itemsize == TARGET.vector_bytes
    assert TARGET.blocking.blocks[TARGET.blocking.strip].mr >= 4


REFUSED = """
import numpy as np
from numba_lstm import nn
for _ in range(2):
    try:
        nn.LSTM(3, 4)(np.ones((2, 2, 3)))
    except ValueError as error:
        print(error)
"""


def test_without_the_compiler_one_line_names_the_variable():
    first, second = run_python(REFUSED, NUMBA_DISABLE_JIT="1").splitlines()
    assert first == second
    assert first.startswith("NUMBA_DISABLE_JIT: expected 0 or unset, got 1")


@X86
@pytest.mark.parametrize(
    ("variable", "value"),
    [("NUMBA_CPU_NAME", "hasvel"), ("NUMBA_CPU_NAME", "bdver2"), ("NUMBA_CPU_FEATURES", "+fma4")],
)
def test_a_wrong_target_is_an_error_of_one_line_and_leaves_nothing_in_the_cache(
    tmp_path, variable, value
):
    if value != "hasvel" and host_features().get("fma4"):
        pytest.skip("this machine has FMA4")
    folder = tmp_path / "cache"
    out = run_python(REFUSED, **{variable: value, "NUMBA_LSTM_CACHE_DIR": str(folder)})
    first, second = out.splitlines()
    assert first == second
    assert first.startswith(f"{variable}: expected ") and f"got '{value}'" in first
    assert not folder.exists()


def test_who_names_no_target_waits_for_no_trial():
    program = """
import os
for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
    os.environ.pop(name, None)
from numba_lstm.simd import target_probe
print(target_probe._ask.cache_info().misses)
"""
    assert run_python(program) == "0\n"
