"""Ranks are compared with threads, and what they lose is told part by part."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from long_tool import only_long

BENCH = Path(__file__).resolve().parents[2] / "bench"
TINY = ["--option=--hidden=8", "--option=--embedding=6", "--option=--seq-len=8"]
TINY += ["--model", "65,6,8,1,8", "--steps", "40", "--repeats", "1", "--seconds", "0.01"]
TINY += ["--ranks", "2", "--json", "a.json"]


def assert_compared(result, out):
    assert set(result["runs"]) == {"1 x 2", "2 x 1"}
    for kind, of in result["medians"].items():
        assert of["training"] > 0 and abs(of["val_loss_beside"]) < 0.05, kind
    assert result["medians"]["1 x 2"]["ratio"] == 1.0
    lost, parts = result["lost_ms"], result["parts"]
    assert lost["looking for NaN, Allreduce"] == parts["2 x 1"]["allreduce"] > 0
    assert "x1.000" in out


@only_long
def test_ranks_are_compared_with_threads(tmp_path):
    pytest.importorskip("mpi4py")
    command = [sys.executable, str(BENCH / "distributed.py"), *TINY]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert_compared(json.loads((tmp_path / "a.json").read_text()), done.stdout)


def test_what_ranks_lose_is_told_part_by_part(tmp_path, monkeypatch, capsys):
    """The eight processes of a comparison are left out: what they would tell is given."""
    monkeypatch.syspath_prepend(str(BENCH))
    # Not by its name, which is Dask's package, too.
    spec = importlib.util.spec_from_file_location("bench_distributed", BENCH / "distributed.py")
    distributed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(distributed)
    asked = []

    def apart(*words, launcher=()):
        words = list(map(str, words))
        ranks = int(launcher[-1]) if launcher else 1
        asked.append((words[0] == "-m", ranks, words[words.index("--threads") + 1]))
        if words[0] != "-m":
            parts = dict.fromkeys(("gradients", "norm", "update", "step"), 2.0)
            figure = parts | {"waiting": 0.5, "allreduce": 0.25 * (ranks - 1)}
            return json.dumps({"figures": [figure]})
        run = Path(words[words.index("--out") + 1])
        run.mkdir()
        lines = [
            {"val_loss": None, "tokens": 10.0, "seconds": 1.0},
            {"val_loss": 3.5, "tokens": 20.0, "seconds": 9.0},
            {"val_loss": None, "tokens": 40.0, "seconds": 1.0 + ranks},
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        return json.dumps({"tokens_per_second": 7.0 * ranks, "val_loss": 3.5})

    for name, value in (
        ("apart", apart),
        ("mpiexec", lambda ranks: ("mpiexec", "-n", str(ranks))),
        ("describe", dict),
        ("warn_if_busy", lambda: None),
    ):
        monkeypatch.setattr(distributed, name, value)
    monkeypatch.setattr(sys, "argv", ["distributed.py", *TINY])
    monkeypatch.chdir(tmp_path)
    distributed.main()
    two = str(min(2, distributed.os.cpu_count() or 1))
    trained = [(True, 1, two), (True, 2, "1")]
    assert asked == [*trained, (False, 1, two), (False, 2, "1"), (False, 1, "1")]
    result = json.loads((tmp_path / "a.json").read_text())
    assert_compared(result, capsys.readouterr().out)
    ranks = result["medians"]["2 x 1"]
    assert (ranks["training"], ranks["ratio"], ranks["ratio_of_all"]) == (15.0, 0.5, 2.0)
    assert result["lost_ms"]["waiting for the other rank"] == 0.5
    assert result["lost_ms"]["gradients beside the other rank"] == 0.0
