"""Long trainings and many shapes take no more memory than short ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cli_tool import TEXT, environment

_RESIDENT = """
import os, resource
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
"""

_STEPS = """
from numba_lstm.training.lm.config import merge
from numba_lstm.training.runs import session
about = {"data": "text.txt", "hidden": 64, "embedding": 32, "batch": 8, "seq_len": 16}
config = merge(("", {**about, "dropout": 0.2, "steps": 2200, "valid_every": 100, "log_every": 20}))
trainer, run = session.start(config, "run")
seen, step = {}, trainer._step
def one_step():
    step()
    seen[trainer.counters.step] = resident()
trainer._step = one_step
trainer.run(run)
print(max(seen.values()) - seen[200])
"""

_SHAPES = """
import numpy as np
from numba_lstm import nn
lstm, rng = nn.LSTM(12, 24, num_layers=2, seed=0), np.random.default_rng(0)
def call(number):
    T, B = rng.integers(1, 40, 2)
    x = rng.standard_normal((T, B, 12)).astype(np.float32)
    if number % 3:
        lstm.eval()(x)
    else:
        (y, _), pullback = lstm.train().vjp(x)
        pullback(y)
for number in range(500):
    call(number)
before = resident()
for number in range(4000):
    call(number)
print(resident() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read on Linux")
@pytest.mark.parametrize("program", [_STEPS, _SHAPES], ids=["2,000 steps", "4,000 shapes"])
def test_memory_grows_by_less_than_five_megabytes(tmp_path, program):
    (tmp_path / "text.txt").write_text(TEXT * 3)
    done = subprocess.run(
        [sys.executable, "-c", _RESIDENT + program],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 5.0, done.stdout
