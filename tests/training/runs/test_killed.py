"""A run that the system ends at any moment can be loaded and goes on to the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tool import environment

TOOL = Path(__file__).parents[2] / "tools" / "kills_tool.py"
#: More with NUMBA_LSTM_KILLS=200 pytest tests/training/runs/test_killed.py
KILLS = int(os.environ.get("NUMBA_LSTM_KILLS", "0"))


# The kinds share how a run is kept; those of tables write more at their end.
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(("kind", "kills"), [("lm", 50), ("classify", 12), ("forecast", 12)])
def test_a_run_killed_at_random_moments_is_always_whole_and_ends_in_the_same_bits(
    tmp_path, kind, kills
):
    kills = max(kills, KILLS)
    done = subprocess.run(
        [sys.executable, str(TOOL), kind, str(kills)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60 + 20 * kills,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(kind, told)
    assert told["SIGKILL"] >= told["SIGTERM"] >= kills // 3 - 1 and told["rounds"] >= 1
    assert told["making"] >= kills // 3 and told["made"] >= 1
