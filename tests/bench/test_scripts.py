"""The programs of bench/ run, and give figures that fit together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from long_tool import LONG

from numba_lstm import models

BENCH = Path(__file__).resolve().parents[2] / "bench"


def run(program, *args, cwd, timed=True, **environment):
    times = ["--seconds", "0.01"] if timed else []
    command = [sys.executable, str(BENCH / program), "--json", "a.json", *times, *args]
    env = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, env=env)
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


def test_another_library_beside_ours_is_compared_with_each_alone(tmp_path):
    result, out = run("beside.py", "4,2,3,8", "--other", "numpy", "--rounds", "1", cwd=tmp_path)
    (one,) = result["beside"]
    assert (one["shape"], one["other"]) == ("4,2,3,8", "numpy") and not result["passive"]
    ms = one["ms"]
    assert set(ms) == {f"{who} {how}" for who in ("ours", "other") for how in ("alone", "beside")}
    assert one["ours"] == pytest.approx(ms["ours beside"] / ms["ours alone"])
    assert one["others"] == pytest.approx(ms["other beside"] / ms["other alone"])
    assert len(out.splitlines()) == 1


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


def vowels(folder):
    """A package that has files where sktime has those of the Japanese Vowels."""
    rng = np.random.default_rng(0)
    data = folder / "sktime" / "datasets" / "data" / "JapaneseVowels"
    data.mkdir(parents=True)
    (folder / "sktime" / "__init__.py").write_text("")
    classes = range(1, 4)
    for part in ("TRAIN", "TEST"):
        lines = ["@problemName JapaneseVowels", "@timeStamps false", "@univariate false"]
        lines += [f"@classLabel true {' '.join(map(str, classes))}", "@data"]
        for case in range(24):
            steps = rng.standard_normal((3, rng.integers(5, 9))) + 2 * (case % 3)
            columns = [",".join(f"{value:.4f}" for value in column) for column in steps]
            lines.append(":".join([*columns, str(1 + case % 3)]))
        (data / f"JapaneseVowels_{part}.ts").write_text("\n".join(lines) + "\n")
    return str(folder)


def test_the_documented_classifier_is_compared_with_torch_seed_by_seed(tmp_path):
    """Daily beside one of torch's two ways, whose numbers are compared below."""
    pytest.importorskip("torch")
    peers = ["torch-padded", "torch-packed"] if LONG else ["torch-packed"]
    path = os.pathsep.join(filter(None, [vowels(tmp_path), os.environ.get("PYTHONPATH")]))
    seeds = 2 if LONG else 1  # a process each, which imports torch
    about = ["--seeds", str(seeds), "--epochs", "24", "--threads", "1", "--peers", *peers]
    result, out = run("japanese_vowels.py", *about, cwd=tmp_path, timed=False, PYTHONPATH=path)
    assert set(result["runs"]) == {"ours", *peers}
    for name, runs in result["runs"].items():
        assert len(runs) == seeds and min(run["seconds"] for run in runs) > 0
        assert result["accuracy"][name] > 0.9, name  # the classes stand two deviations apart
    medians = result["median_seconds"]
    assert result["ratio"]["torch-packed"] == medians["torch-packed"] / medians["ours"]
    assert out.count("seed ") == seeds and out.count("mean accuracy") == 1 + len(peers)


def test_both_ways_of_torch_compute_the_same(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(BENCH))
    from vowels_torch import Packed, Padded

    config = {"hidden": 5, "dropout": 0.0, "input_dropout": 0.0}
    packed, padded = Packed(3, 4, config).eval(), Padded(3, 4, config).eval()
    weights = packed.state_dict()
    lstm = {name: weights[f"lstm.{name}"] for name in padded.there.state_dict()}
    padded.there.load_state_dict(lstm)
    padded.back.load_state_dict({name: weights[f"lstm.{name}_reverse"] for name in lstm})
    padded.head.load_state_dict(packed.head.state_dict())
    x, lengths = torch.randn(7, 4, 3), torch.tensor([7, 2, 1, 5])
    torch.testing.assert_close(packed(x, lengths), padded(x, lengths))
    # And the same as ours.
    ours = models.SequenceClassifier(3, 5, 4, bidirectional=True, pooling="max")
    ours.load_state_dict({n.replace("lstm.", "rnn."): v.numpy() for n, v in weights.items()})
    expected = ours(x.numpy(), lengths.numpy())
    torch.testing.assert_close(packed(x, lengths), torch.from_numpy(expected), atol=2e-6, rtol=0)
