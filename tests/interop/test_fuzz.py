"""Damaged files are read or refused in the library's own words: `scripts/fuzz_interop.py`, briefly.

NUMBA_LSTM_FUZZ=10000 tries as many files instead of a few hundred.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_interop.py"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded by Linux")
def test_damaged_files_are_read_or_refused(tmp_path):
    pytest.importorskip("onnx")
    count = os.environ.get("NUMBA_LSTM_FUZZ", "400")
    root = str(SCRIPT.parents[1])
    done = subprocess.run(
        [sys.executable, SCRIPT, "--count", count, "--seed", "0", "--keep", tmp_path],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-4000:]
    said = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert int(said["onnx ran"]) > 10 and int(said["onnx refused"]) > 100
    assert f"{count} files, 0 faults" in done.stdout
    assert not list(tmp_path.iterdir())
