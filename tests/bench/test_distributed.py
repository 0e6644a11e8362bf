"""Ranks are compared with threads, and what they lose is told part by part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


def test_ranks_are_compared_with_threads(tmp_path):
    pytest.importorskip("mpi4py")
    tiny = ["--option=--hidden=8", "--option=--embedding=6", "--option=--seq-len=8"]
    tiny += ["--model", "65,6,8,1,8", "--steps", 40, "--repeats", 1, "--seconds", 0.01]
    tiny += ["--ranks", "2"]
    command = [sys.executable, BENCH / "distributed.py", *tiny, "--json", "a.json"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "a.json").read_text())
    assert set(result["runs"]) == {"1 x 2", "2 x 1"}
    for kind, of in result["medians"].items():
        assert of["training"] > 0 and abs(of["val_loss_beside"]) < 0.05, kind
    assert result["medians"]["1 x 2"]["ratio"] == 1.0
    lost, parts = result["lost_ms"], result["parts"]
    assert lost["looking for NaN, Allreduce"] == parts["2 x 1"]["allreduce"] > 0
    assert "x1.000" in done.stdout
