"""The cost model's record is measured, and its page and figure are made from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from long_tool import LONG

BENCH = Path(__file__).resolve().parents[2] / "bench"


def run(*args, cwd):
    command = [sys.executable, str(BENCH / "scale_model.py"), *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def test_the_page_is_as_recorded():
    done = run("--check", cwd=BENCH)
    assert done.returncode == 0, done.stderr


def test_all_is_measured_told_and_drawn(tmp_path):
    for name in ("mpi4py", "matplotlib"):
        pytest.importorskip(name)
    page = (BENCH.parent / "docs" / "scale.md").read_text(encoding="utf-8")
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    files = ["--json", "a.json", "--page", "page.md", "--plot", "a.png"]
    sizes = ["--model", "tiny=9,4,8,1,3:1,16", "--seconds", "0.01", "--cores", "2"]
    sizes += ["--ranks", "2", "--sizes", "4,65536"]
    parts = []
    if not LONG:  # ranks are six more processes: those of the record stand for them
        parts = ["steps"]
        record = json.loads((BENCH / "results" / "zen4-2cores-scale.json").read_text())
        ranks = {count: record["ranks"]["small"][count] for count in ("1", "2")}
        kept = {"allreduce": {"2": record["allreduce"]["2"]}, "ranks": {"tiny": ranks}}
        (tmp_path / "a.json").write_text(json.dumps(kept))
    done = run("--measure", *parts, *sizes, *files, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "a.json").read_text())
    assert {kind: of["threads"] for kind, of in record["steps"]["tiny"].items()} == {
        "node": 2, "rank": 1,
    }  # fmt: skip
    for ranks, fit in record["allreduce"].items():
        assert fit["ranks"] == int(ranks) and min(fit["allreduce_us"]) > 0
    for ranks, told in record["ranks"]["tiny"].items():
        assert told["ranks"] == int(ranks)
        (figure,) = told["figures"]
        parts = [figure[name] for name in ("gradients", "norm", "update")]
        assert min(parts) > 0 and figure["step"] > 0
        assert (figure["allreduce"] > 1e-3) == (ranks != "1")
    told = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert told.count("| tiny |") > 10 and "| small |" not in told
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert run("--check", *files, cwd=tmp_path).returncode == 0
    (tmp_path / "page.md").write_text(told.replace("| tiny |", "| large |", 1))
    assert "not as recorded" in run("--check", *files, cwd=tmp_path).stderr
