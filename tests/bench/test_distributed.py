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
TINY += ["--steps", "40", "--ranks", "2", "--json", "a.json"]
KINDS = ["1 x 2", "half of it on 1", "2 x 1"]


def assert_parts_add_up(run):
    parts = ("gradients", "waiting", "summing", "norm", "update", "rest")
    assert run["step"] == pytest.approx(sum(run[part] for part in parts))


@only_long
def test_ranks_are_compared_with_threads(tmp_path):
    pytest.importorskip("mpi4py")
    command = [sys.executable, str(BENCH / "distributed.py"), *TINY, "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    runs = json.loads((tmp_path / "a.json").read_text())["runs"]
    assert list(runs) == KINDS
    for kind, (run,) in runs.items():
        assert_parts_add_up(run)
        assert 0 < run["rest"] < run["step"], kind
        assert (run["summing"] > 0) == (kind == "2 x 1")
    assert abs(runs["2 x 1"][0]["val_loss"] - runs["1 x 2"][0]["val_loss"]) < 0.05
    assert "| 2 × 1 |" in done.stdout and "| a step |" in done.stdout


def test_trainings_take_turns_and_tell_their_parts(tmp_path, monkeypatch, capsys):
    """The processes of a comparison are left out: what they would tell is given."""
    monkeypatch.syspath_prepend(str(BENCH))
    # Not by its name, which is Dask's package, too.
    spec = importlib.util.spec_from_file_location("bench_distributed", BENCH / "distributed.py")
    distributed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(distributed)
    asked = []

    def apart(program, folder, *words, launcher=()):
        words = list(map(str, words))
        ranks = int(launcher[-1]) if launcher else 1
        assert Path(program).name == "timed_training.py" and words[:2] == ["train", "lm"]
        asked.append((ranks, *(words[words.index(name) + 1] for name in ("--threads", "--batch"))))
        run = Path(words[words.index("--out") + 1])
        run.mkdir()
        lines = [
            {"step": 2, "val_loss": None, "tokens": 10.0, "seconds": 1.0},
            {"step": 4, "val_loss": None, "tokens": 40.0, "seconds": 1.0 + ranks * len(asked)},
            {"step": 6, "val_loss": 3.5, "tokens": 80.0, "seconds": 99.0},
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        for rank in range(ranks):
            # Two steps to warm up, then six, of which the third and the fourth are looked at.
            steps = [9.0, 9.0, 8.0, 8.0, 0.001, 0.003 + 0.002 * rank, 7.0, 7.0]
            told = dict.fromkeys(distributed.PARTS, steps)
            (Path(folder) / f"{rank}.json").write_text(json.dumps(told))
        return json.dumps({"steps": 6, "val_loss": 3.5 + 0.01 * ranks})

    for name, value in (
        ("apart", apart),
        ("mpiexec", lambda ranks: ("mpiexec", "-n", str(ranks))),
        ("describe", lambda: {"machine": {"cpu": "it", "target_cpu": "z", "cpus": 2}}),
        ("warn_if_busy", lambda: None),
    ):
        monkeypatch.setattr(distributed, name, value)
    monkeypatch.setattr(sys, "argv", ["distributed.py", *TINY, "--repeats", "2"])
    monkeypatch.chdir(tmp_path)
    distributed.main()
    two = str(min(2, distributed.os.cpu_count() or 1))
    assert asked == 2 * [(1, two, "16"), (1, "1", "8"), (2, "1", "16")]
    runs = json.loads((tmp_path / "a.json").read_text())["runs"]
    assert list(runs) == KINDS
    for one in [run for some in runs.values() for run in some]:
        assert_parts_add_up(one)
    alone, ranks = runs["1 x 2"][0], runs["2 x 1"][0]
    assert (alone["tokens_per_second"], alone["step"]) == (30.0, 500.0)
    assert (ranks["tokens_per_second"], ranks["step"]) == (5.0, 3000.0)
    assert alone["norm"] == pytest.approx(2.0) and ranks["norm"] == pytest.approx(2.5)
    # The turns' ratios are (1 / 6) and (4 / 12).
    assert "| 0.167, 0.333 | 0.236 | 3.5200 | +0.0100 |" in capsys.readouterr().out
