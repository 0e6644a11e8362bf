"""``bench``: what it writes where, what it refuses before it measures, and one real run."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest
from cli_tool import cli
from click.testing import CliRunner
from fake_bench import result
from long_tool import only_long

from numba_lstm.benchmark.cases import GRID
from numba_lstm.benchmark.engine import FULL
from numba_lstm.benchmark.peers import DEFAULT
from numba_lstm.benchmark.random_cases import draw
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
    assert [peer.name for peer in peers] == ["torch", "onnxruntime", "openvino"]
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
        (["--peers", "jax"], "--peers: expected some of torch, onnxruntime, openvino, rules"),
        (["--isa", "avx3"], "--isa"),
        (["--busy", "-1"], "--busy"),
        (["--random", "0"], "--random"),
        (["--random", "2", "small"], "--random: expected no CASE beside it, got 'small'"),
        (["--seed", "3"], "--seed: expected --random N with it, got --seed 3 alone"),
        (["--random", "2", "--seed", "-1"], "--seed"),
        (
            ["--random", "2", "--kind", "step"],
            "--kind: expected some of the chosen cases' kinds, infer, train",
        ),
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
    assert "row-1x1x128x256            infer, train, latency" in lines
    assert bench("row-1x1*", "--list", "--kind", "latency,step").stdout.split() == [
        "row-1x1x128x256", "latency",
    ]  # fmt: skip
    found = json.loads(bench("--list", "--kind", "cold", "--json").stdout)
    assert found and all(one["kinds"] == ["cold"] for one in found) and measured == []


def test_a_list_refuses_an_unknown_peer_and_too_many_random_cases(measured):
    for args, said in (("--peers", "nobody"), "--peers: expected"), (("--random", 10**9), "10000"):
        done = bench(*args, "--list")
        assert done.exit_code == 2 and said in done.stderr


def test_the_isa_and_the_busy_loops_reach_the_run_and_the_rest_is_as_ever(measured):
    assert bench("--isa", "avx2", "--busy", 2).exit_code == 0
    settings = measured[0][3]
    assert (settings.isa, settings.busy) == ("avx2", 2)
    assert replace(settings, isa="native", busy=0) == FULL
    assert bench().exit_code == 0 and measured[1][3] == FULL


def test_random_cases_are_those_of_the_seed_with_kinds_and_peers_as_asked_for(measured, tmp_path):
    file = tmp_path / "a.json"
    done = bench("--random", 3, "--seed", 5, "--kind", "train", "--peers", "rules", "--json", file)
    assert done.exit_code == 0, done.stderr
    cases, peers, _, _, options = measured[0]
    assert cases == draw(3, 5) and [peer.name for peer in peers] == ["rules"]
    assert options["kinds"] == ("train",)
    assert json.loads(file.read_text())["random"] == {"n": 3, "seed": 5}
    assert bench("--random", 3).exit_code == 0 and measured[1][0] == draw(3, 0)


def test_random_cases_are_listed():
    lines = bench("--random", 12, "--seed", 1, "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [case.name for case in draw(12, 1)]
    assert len({line.index("infer, train") for line in lines}) == 1
    found = json.loads(bench("--random", 2, "--list", "--json").stdout)
    assert found == [{"name": case.name, "kinds": ["infer", "train"]} for case in draw(2, 0)]


def test_an_isa_that_the_machine_lacks_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr("numba_lstm.benchmark.isa._features", set)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    done = bench("--isa", "avx512", "--peers", "none")
    assert done.exit_code == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --isa: expected an instruction set that this machine has, got")


@only_long
@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="only x86-64 has a choice"
)
def test_a_real_run_beside_a_busy_loop_held_to_sse_against_the_rules(tmp_path):
    case = "small-5x3x10x20-L2"
    options = [
        "--quick",
        "--kind",
        "infer",
        "--isa",
        "baseline",
        "--busy",
        "1",
        "--peers",
        "rules",
        "--json",
    ]
    done = cli("bench", case, "--threads", 1, *options, cwd=tmp_path)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["isa"], told["busy_loops"]) == ("baseline", 1)
    assert told["machine"]["vector_bits"] == 128
    assert told["environment"]["rules"]["NUMBA_LSTM_TUNE"] == "0"
    (infer,) = told["cases"]
    assert infer["busy_factor"] == pytest.approx(infer["ours_ms"] / infer["quiet_one_thread_ms"])
    assert set(infer["ratio"]) == {"rules"} and "x quiet" in done.err


def test_a_real_quick_run_of_the_smallest_case(tmp_path):
    done = cli("bench", "small-5x3x10x20-L2", "--quick", "--threads", 1, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    here = {name for name in DEFAULT if find_spec(name) is not None}
    here -= {"onnxruntime", "openvino"} if find_spec("onnx") is None else set()
    assert set(told["skipped"]) == set(DEFAULT) - here
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
    assert set(train["peers"]) == here & {"torch"}
    for peer in set(DEFAULT) - here:
        assert f"{peer} is left out" in done.err and "numba_lstm[bench]" in done.err
    assert list(tmp_path.iterdir()) == []
