"""``bench``: what it writes where, what it refuses before it measures, and one real run."""

from __future__ import annotations

import importlib
import json
import sys
from importlib.util import find_spec

import pytest
from cli_tool import cli
from click.testing import CliRunner
from fake_bench import result

from numba_lstm.benchmark.cases import GRID
from numba_lstm.cli import main

run_module = importlib.import_module("numba_lstm.benchmark.run")


@pytest.fixture
def measured(monkeypatch):
    """Runs measure nothing and give a ready result; the list takes how they were called."""
    calls: list = []

    def run(cases, peers, threads, settings, **options):
        calls.append((cases, peers, threads, settings, options))
        return result()

    monkeypatch.setattr(run_module, "run", run)
    return calls


def bench(*args):
    return CliRunner().invoke(main, ["bench", *map(str, args)])


def test_the_table_goes_to_standard_output(measured):
    done = bench("small")
    assert done.exit_code == 0, done.stderr
    assert "1.50x [1.50, 1.50]  ahead" in done.stdout and "A Fine CPU" in done.stdout
    cases, peers, threads, _, options = measured[0]
    assert [case.group for case in cases] == ["small", "small"]
    assert [peer.name for peer in peers] == ["torch", "onnxruntime"]
    assert threads >= 1 and options["repeat"] == 1


@pytest.mark.parametrize("args", [["--json", "-"], ["--json", "--quick"], ["--json"]])
def test_json_on_standard_output_is_alone_there(measured, args):
    done = bench(*args)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["threads"] == 2
    assert "ahead" in done.stderr


def test_json_and_the_picture_are_written_to_files(measured, tmp_path):
    pytest.importorskip("matplotlib")
    done = bench("--json", tmp_path / "a.json", "--plot", tmp_path / "a.png")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "a.json").read_text())["peak_gflops"] == 100.0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "ahead" in done.stdout


def test_options_reach_the_run(measured, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "4")
    done = bench("--peers", "torch", "--threads", 3, "--quick", "--repeat", 2, "--kind", "step")
    assert done.exit_code == 0, done.stderr
    cases, peers, threads, settings, options = measured[0]
    assert cases == list(GRID) and [peer.name for peer in peers] == ["torch"]
    assert (threads, options["repeat"], options["kinds"]) == (3, 2, ("step",))
    assert settings.rounds < 10


def test_kinds_and_peers_given_several_times_are_all_taken(measured):
    done = bench("--kind", "step", "--kind", "infer,cold", "--peers", "torch", "--peers", "torch")
    assert done.exit_code == 0, done.stderr
    _, peers, _, _, options = measured[0]
    assert options["kinds"] == ("step", "infer", "cold")
    assert [peer.name for peer in peers] == ["torch"]


def test_a_disagreement_ends_in_exit_code_1_after_all_is_told(monkeypatch):
    monkeypatch.setattr(run_module, "run", lambda *_, **__: result(wrong="torch"))
    done = bench("--json")
    assert done.exit_code == 1
    assert any("disagrees" in one.get("error", "") for one in json.loads(done.stdout)["cases"])
    assert "ERROR" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["huge"], "CASE: expected a case's name, a glob, or a group"),
        (["--peers", "jax"], "--peers: expected some of torch, onnxruntime"),
        (["--kind", "fly"], "--kind: expected some of infer"),
        (
            ["small", "--kind", "step"],
            "--kind: expected some of the chosen cases' kinds, infer, train",
        ),
        (["--threads", "0"], "--threads: expected 1 to"),
        (["--threads", "9999"], "got 9999 (NUMBA_NUM_THREADS allows more)"),
        (["--json", "absent/a.json"], "--json: expected a file in an existing folder"),
        (["--json", "folder.json"], "--json: expected a file, got the folder 'folder.json'"),
        (["--plot", "folder.json"], "--plot: expected a file, got the folder 'folder.json'"),
        (["--json", "small"], "--json: expected a FILE that ends in .json, or -, got 'small'"),
        (["--json", "small", "usual"], "a CASE goes before --json"),
        (["--plot", "absent/a.png"], "--plot: expected a file in an existing folder"),
        (["--plot", "-"], "--plot: expected a file's name, got '-'"),
        (["--kind", ""], "--kind: expected some of infer"),
        (["--plot", "a.doc"], "expected a file such as .png"),
        (["--repeat", "0"], "--repeat"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_measured(
    measured, monkeypatch, tmp_path, args, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    if "a.doc" in args:
        pytest.importorskip("matplotlib")
    done = bench(*args)
    assert done.exit_code == 2
    assert words in done.stderr
    assert measured == []


def test_without_matplotlib_it_says_what_to_install(measured, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    done = bench("--plot", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "pip install 'numba_lstm[plot]'" in done.stderr
    assert measured == []


def test_the_cases_are_listed_with_their_kinds(measured):
    lines = bench("--list").stdout.splitlines()
    assert len(lines) == len(GRID) and measured == []
    assert "row-1x1x128x256           infer, train, latency" in lines
    assert bench("row-1x1*", "--list", "--kind", "latency,step").stdout.split() == [
        "row-1x1x128x256", "latency",
    ]  # fmt: skip
    found = json.loads(bench("--list", "--kind", "cold", "--json").stdout)
    assert found and all(one["kinds"] == ["cold"] for one in found) and measured == []


def test_a_real_quick_run_of_the_smallest_case(tmp_path):
    done = cli("bench", "small-5x3x10x20-L2", "--quick", "--threads", 1, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    here = {name for name in ("torch", "onnxruntime") if find_spec(name) is not None}
    here -= {"onnxruntime"} if find_spec("onnx") is None else set()
    assert set(told["skipped"]) == {"torch", "onnxruntime"} - here
    infer, train = told["cases"]
    assert (infer["kind"], train["kind"]) == ("infer", "train")
    for one in (infer, train):
        assert one["ours_ms"] > 0.0
        assert 0.0 < one["peak_fraction"] < 1.0
        assert one["gflops"] == pytest.approx(one["peak_fraction"] * told["peak_gflops"])
        for peer, figures in one["peers"].items():
            assert one["ratio"][peer] == pytest.approx(figures["ms"] / one["ours_ms"])
            low, high = one["interval"][peer]
            assert low <= one["ratio"][peer] <= high
    assert set(infer["peers"]) == here
    assert set(train["peers"]) == here - {"onnxruntime"}
    for peer in {"torch", "onnxruntime"} - here:
        assert f"{peer} is left out" in done.err and "numba_lstm[bench]" in done.err
    assert list(tmp_path.iterdir()) == []
