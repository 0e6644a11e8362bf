"""The programs of bench/ run, and give figures that fit together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


def run(program, *args, cwd):
    command = [sys.executable, str(BENCH / program), "--json", "a.json", "--seconds", "0.01", *args]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads((cwd / "a.json").read_text()), done.stdout


def test_the_microkernel_s_blocks_are_compared_with_the_peak(tmp_path):
    result, out = run("microkernel.py", "--k", "32", cwd=tmp_path)
    assert result["machine"]["target_cpu"]
    assert [one["dtype"] for one in result["microkernels"]] == ["float32", "float64"]
    for one in result["microkernels"]:
        blocks = one["blocks"]
        assert (
            len({(b["transposed"], b["strip"], b["m"], b["nv"]) for b in blocks})
            == len(blocks)
            >= 8
        )
        for block in blocks:
            assert block["fraction"] == pytest.approx(block["gflops"] / one["peak_gflops"])
    assert out.count("full block") == 2


def test_scaling_is_relative_to_the_fewest_threads(tmp_path):
    pytest.importorskip("matplotlib")
    plot = ["--plot", "a.png"]
    result, out = run("scaling.py", "4,2,3,8", "--threads", "1,3", *plot, cwd=tmp_path)
    infer, train = result["scaling"]
    assert (infer["kind"], train["kind"]) == ("infer", "train")
    first, second = infer["figures"]
    assert first["speedup"] == 1.0
    assert second["speedup"] == pytest.approx(first["ms"] / second["ms"])
    assert len(out.splitlines()) == 4
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_options_are_compared_with_the_module_without(tmp_path):
    names = ["layer_norm", "dropout, two layers", "half the tokens"]
    result, out = run("options.py", *names, "--shape", "3,2,3,4", cwd=tmp_path)
    assert result["shape"] == {"T": 3, "B": 2, "I": 3, "H": 4}
    assert [one["option"] for one in result["options"]] == names
    for one in result["options"]:
        assert one["ratio"] == pytest.approx(one["ms"] / one["plain_ms"])
    assert len(out.splitlines()) == 3


def test_the_cost_model_fits_a_line_to_its_points(tmp_path):
    pytest.importorskip("matplotlib")
    sweeps = ["--T", "1,2,4", "--B", "1,2", "--H", "4,8", "--base", "2,2,3,4"]
    result, _ = run("cost_model.py", *sweeps, "--plot", "a.png", cwd=tmp_path)
    assert result["base"] == {"T": 2, "B": 2, "I": 3, "H": 4}
    assert [one["size"] for one in result["cost_model"]] == ["T", "T", "B", "B", "H", "H"]
    for one in result["cost_model"]:
        line = [one["start_ms"] + 1e3 * g / one["gflops"] for g in one["gflop"]]
        assert one["line_ms"] == pytest.approx(line)
        worst = max(abs(y / x - 1) for x, y in zip(line, one["ms"]))
        assert one["worst"] == pytest.approx(worst)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
