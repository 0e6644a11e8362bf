"""A whole run is one JSON object with the promised keys."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fake_bench import TINY, fake_engine

from numba_lstm.benchmark import run as module
from numba_lstm.benchmark.engine import QUICK
from numba_lstm.benchmark.peers import PEERS

ROUGH = replace(QUICK, rounds=2)


def run(monkeypatch, absent=(), peers=("torch", "onnxruntime"), wrong="", **options):
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
        ROUGH,
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
