"""Damaged files of every kind that a command reads: refused in one line, or read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tool import environment

TOOL = Path(__file__).parents[1] / "tools" / "fuzz_tool.py"
#: More with NUMBA_LSTM_FUZZ=20000 pytest tests/cli/test_fuzz.py
COUNT = int(os.environ.get("NUMBA_LSTM_FUZZ", "300"))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is bounded on Linux")
def test_damaged_files_end_in_a_promised_code_and_one_line_in_little_memory():
    done = subprocess.run(
        [sys.executable, str(TOOL), str(COUNT)], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(told)
    assert (told["inputs"], told["faults"]) == (COUNT, 0)
    # Nothing is tested where nothing is refused, nor where everything is.
    assert sum(n for name, n in told.items() if name.endswith(" 2")) > COUNT // 5
    assert sum(n for name, n in told.items() if name.endswith(" 0")) > COUNT // 20
