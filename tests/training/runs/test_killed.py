"""A run killed by the system at any moment can be loaded and goes on to the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cli_tool import TEXT, environment

#: Fifty and more with NUMBA_LSTM_KILLS=200 pytest tests/training/runs/test_killed.py
KILLS = int(os.environ.get("NUMBA_LSTM_KILLS", "50"))

_PROGRAM = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
import numba_lstm
from numba_lstm.training.lm.config import merge
from numba_lstm.training.runs import session, trainer
from numba_lstm.training.runs.checkpoint import Run

kills, steps = int(sys.argv[1]), 60
trainer._SAVE_SECONDS = 0.0  # after each step
about = {"data": "text.txt", "hidden": 8, "embedding": 6, "batch": 2, "seq_len": 5, "dropout": 0.3}
config = merge(("", {**about, "steps": steps, "valid_every": 7, "log_every": 2}))
whole, _ = session.start(config, "whole")
whole.run(_)
rng = random.Random(5)

def killed(work, seconds=60.0):
    # What a child does is cut off by the system after so long; whether it was.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.0005)
    else:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)

def begin():
    session.start(config, path)

def go_on():
    found, run = session.resume(path)
    found.run(run)

path, took = Path("new/first"), []
for work in (begin, go_on):
    began = time.monotonic()
    assert not killed(work)
    took.append(time.monotonic() - began)

told = {"made": 0, "making": 0, "training": 0, "rounds": 0, "least": steps}
while told["making"] < kills // 3:
    path = Path("new") / str(told["made"])
    told["making"] += killed(begin, rng.uniform(0.0, 1.1 * took[0]))
    if path.exists():
        run = Run(path)
        assert run.load().counters["step"] == 0 and len(list(path.iterdir())) == 5
        numba_lstm.load(path)
        told["made"] += 1
session.start(config, "new/last")
told["hidden"] = [name for name in os.listdir("new") if name.startswith(".")]

while told["training"] < kills:
    path = Path(f"run{told['rounds']}")
    session.start(config, path)
    while killed(go_on, rng.uniform(0.0, 0.6 * took[1])):
        told["training"] += 1
        told["least"] = min(told["least"], Run(path).load().counters["step"])
        numba_lstm.load(path)
        list(Run(path).metrics())
    for name in ("model.safetensors", "vocab.json", "config.toml"):
        assert (path / name).read_bytes() == Path("whole", name).read_bytes(), name
    one, two = Run(path).load(), Run("whole").load()
    for name, value in two.model.items():
        assert np.array_equal(one.model[name], value), name
    for found in (one, two):
        found.counters.pop("seconds")
    assert one.counters == two.counters and one.random == two.random
    lines = [[{k: v for k, v in line.items() if k != "seconds"} for line in Run(p).metrics()]
             for p in (path, "whole")]
    assert lines[0] == lines[1]
    assert sorted(os.listdir(path)) == sorted(os.listdir("whole"))
    told["rounds"] += 1
print(json.dumps(told))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_run_killed_at_random_moments_is_always_whole_and_ends_in_the_same_bits(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(KILLS)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["training"] >= KILLS and told["rounds"] >= 1
    assert told["making"] >= KILLS // 3 and told["made"] >= 1 and told["hidden"] == []
