"""A whole run is one JSON object with the promised keys."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fake_bench import QUIET_MS, TINY, fake_engine

from numba_lstm.benchmark import run as module
from numba_lstm.benchmark.engine import QUICK
from numba_lstm.benchmark.peers import PEERS

ROUGH = replace(QUICK, rounds=2)


def run(
    monkeypatch,
    absent=(),
    peers=("torch", "onnxruntime"),
    wrong="",
    held="native",
    busy=0,
    **options,
):
    """A run over fake workers; gives its result and what was warned of."""
    warned: list = []
    monkeypatch.setattr(
        module, "missing", lambda peers: {p.name: "not here" for p in peers if p.name in absent}
    )

    def make_engine(peers, threads, settings, say):
        return fake_engine([], settings, [peer.name for peer in peers], wrong=wrong)

    result = module.run(
        [TINY],
        [PEERS[name] for name in peers],
        1,
        replace(ROUGH, isa=held, busy=busy),
        warn=warned.append,
        make_engine=make_engine,
        **options,
    )
    return result, warned


def test_the_object_has_the_promised_keys_and_is_json(monkeypatch):
    result, _ = run(monkeypatch)
    assert {"machine", "threads", "peak_gflops", "cases", "geomean"} <= set(result)
    assert {"cpu", "caches", "features"} <= set(result["machine"])
    assert result["machine"]["features"] == ["avx2"]
    assert result["peak_gflops"] == 100.0 and result["threads"] == 1
    assert set(result["versions"]) == {"ours", "torch", "onnxruntime"}
    assert [one["kind"] for one in result["cases"]] == list(TINY.kinds)
    assert result["geomean"]["infer"] == pytest.approx({"torch": 1.5, "onnxruntime": 0.5})
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_an_absent_peer_is_said_and_skipped(monkeypatch):
    result, warned = run(monkeypatch, absent=("torch",))
    assert any("torch is left out: not here" in text for text in warned)
    assert result["skipped"] == {"torch": "not here"}
    assert set(result["cases"][0]["peers"]) == {"onnxruntime"}


def test_without_peers_there_are_our_figures_alone(monkeypatch):
    result, _ = run(monkeypatch, peers=())
    assert result["cases"][0]["ours_ms"] == 2.0
    assert result["cases"][0]["peers"] == result["cases"][0]["ratio"] == {}
    assert result["geomean"] == {}


def test_only_the_kinds_asked_for_are_measured(monkeypatch):
    result, _ = run(monkeypatch, kinds=("train", "step"))
    assert [one["kind"] for one in result["cases"]] == ["train"]


def test_repeats_are_kept_apart_in_each_record(monkeypatch):
    result, _ = run(monkeypatch, repeat=3)
    assert len(result["cases"]) == len(TINY.kinds)
    assert all(len(one["repeats"]) == 3 for one in result["cases"])
    assert result["cases"][0]["rounds"] == 6


def test_a_disagreement_is_an_error_and_the_run_goes_on(monkeypatch):
    result, _ = run(monkeypatch, wrong="onnxruntime")
    errors = {one["kind"]: one.get("error") for one in result["cases"]}
    assert "onnxruntime disagrees" in errors["infer"]
    assert errors["train"] is None
    assert "infer" not in result["geomean"] and "train" in result["geomean"]


def test_a_busy_machine_is_warned_of_once_and_recorded(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (64.0, 0.0, 0.0))
    result, warned = run(monkeypatch)
    assert sum("machine is busy: load 64.00" in text for text in warned) == 1
    assert any("load 64.00" in text for text in result["busy"]["warnings"])


def has(monkeypatch, *features, machine="x86_64"):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("numba_lstm.benchmark.isa._features", lambda: set(features))


V3 = ("avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe")


def test_held_to_an_isa_it_tells_each_peer_and_records_what_it_told(monkeypatch):
    has(monkeypatch, *V3)
    result, _ = run(monkeypatch, held="avx2", peers=("torch", "onnxruntime", "openvino"))
    assert result["isa"] == "avx2"
    told = result["environment"]
    assert told["ours"]["NUMBA_CPU_NAME"] == "x86-64-v3"
    assert told["torch"]["ATEN_CPU_CAPABILITY"] == "avx2"
    assert told["openvino"]["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert told["onnxruntime"] == {} and result["unheld"] == ["onnxruntime"]


def test_a_peer_without_a_switch_is_measured_marked_and_in_no_mean(monkeypatch):
    has(monkeypatch, *V3)
    result, _ = run(monkeypatch, held="avx2")
    infer = result["cases"][0]
    assert infer["peers"]["onnxruntime"] == {"ms": 1.0, "isa": "native"}
    assert "isa" not in infer["peers"]["torch"]
    assert infer["ratio"]["onnxruntime"] == 0.5
    assert result["geomean"]["infer"] == pytest.approx({"torch": 1.5})


def test_natively_nobody_is_held_to_anything_or_marked(monkeypatch):
    result, _ = run(monkeypatch)
    assert result["isa"] == "native" and result["unheld"] == []
    told = result["environment"]
    # Whatever the caller's environment says, ours has its plans measured.
    assert told.pop("ours") == {"NUMBA_LSTM_TUNE": "1"}
    assert told and set(map(str, told.values())) == {"{}"}
    assert "isa" not in result["cases"][0]["peers"]["onnxruntime"]


def test_an_isa_that_the_machine_lacks_is_refused_before_anything_is_measured(monkeypatch):
    has(monkeypatch, *V3)
    with pytest.raises(ValueError, match=r"--isa: .*got 'avx512'; it lacks avx512f"):
        run(monkeypatch, held="avx512")


def test_the_rules_are_ours_without_measured_plans(monkeypatch):
    has(monkeypatch, *V3)
    result, _ = run(monkeypatch, held="avx2", peers=("rules",))
    ours, rules = result["environment"]["ours"], result["environment"]["rules"]
    assert rules == {**ours, "NUMBA_LSTM_TUNE": "0"}
    assert result["geomean"]["infer"] == pytest.approx({"rules": 1.0})
    assert list(result["peer_settings"]) == ["rules"]


def test_beside_busy_loops_each_case_has_its_quiet_time_and_the_factor(monkeypatch):
    result, _ = run(monkeypatch, busy=1, repeat=2)
    assert result["busy_loops"] == 1
    infer, train, latency, cold, memory = result["cases"]
    for one in (infer, train, latency):
        assert one["quiet_one_thread_ms"] == pytest.approx(QUIET_MS)
        assert one["busy_factor"] == pytest.approx(4.0)
    for one in (cold, memory):
        assert "busy_factor" not in one
    assert json.loads(json.dumps(result, allow_nan=False)) == result
