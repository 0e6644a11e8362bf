"""From rounds to the figures of the JSON."""

from __future__ import annotations

import pytest
from fake_bench import MIB, MS, TINY, fake_engine

from numba_lstm.benchmark.cases import flops
from numba_lstm.benchmark.engine import QUICK, Measurement
from numba_lstm.benchmark.records import geomeans, record


def measure(kind, **engine):
    from dataclasses import replace

    return fake_engine([], replace(QUICK, compile=True), **engine).measure(TINY, [kind])[0]


def test_the_promised_keys_and_their_arithmetic():
    one = record([measure("infer")], 100.0)
    sizes = {key: one[key] for key in ("name", "kind", "cell", "T", "B", "I", "H", "layers")}
    assert sizes == dict(name=TINY.name, kind="infer", cell="lstm", T=2, B=1, I=1, H=1, layers=1)
    assert one["ours_ms"] == MS["ours"]
    assert one["gflops"] == pytest.approx(flops(TINY, "infer") / MS["ours"] / 1e6)
    assert one["peak_fraction"] == pytest.approx(one["gflops"] / 100.0)
    assert one["peers"] == {"torch": {"ms": 3.0}, "onnxruntime": {"ms": 1.0}}
    assert one["ratio"] == {"torch": 1.5, "onnxruntime": 0.5}
    assert one["interval"] == {"torch": [1.5, 1.5], "onnxruntime": [0.5, 0.5]}


def test_latency_tells_both_quantiles():
    one = record([measure("latency")], 100.0)
    assert one["ours"] == {"ms": 2.0, "p50_ms": 2.0, "p99_ms": 4.0}
    assert one["peers"]["torch"]["p99_ms"] == 6.0


def test_cold_tells_its_parts_and_compiling_by_itself():
    one = record([measure("cold")], 100.0)
    assert one["gflops"] is None and one["peak_fraction"] is None
    assert one["ours_ms"] == 2000.0
    assert one["ours"]["import_ms"] == 500.0
    assert one["ours"]["compile_ms"] == pytest.approx(10_000.0)
    assert "compile_ms" not in one["peers"]["torch"]


def test_memory_is_in_mib_and_its_ratio_is_one_of_memory():
    one = record([measure("memory")], 100.0)
    assert one["ours_ms"] is None
    assert one["ours_mib"] == MIB["ours"]
    assert one["peers"]["torch"]["mib"] == MIB["torch"]
    assert one["ratio"]["torch"] == 1.5


def test_an_error_has_no_figures():
    one = record([measure("infer", wrong="torch")], 100.0)
    assert "disagrees" in one["error"]
    assert not {"ours_ms", "gflops", "ratio", "peers"} & set(one)


def runs(*seconds):
    """One of each pair, (ours, torch's), with three rounds."""
    return [Measurement(TINY, "infer", {"ours": [a] * 3, "torch": [b] * 3}) for a, b in seconds]


def test_repeats_are_told_together_and_one_by_one():
    one = record(runs((0.001, 0.003), (0.004, 0.003)), 100.0)
    assert one["ours_ms"] == pytest.approx(2.0) and one["peers"]["torch"]["ms"] == pytest.approx(3)
    assert one["ratio"]["torch"] == pytest.approx(1.5)
    assert one["interval"]["torch"] == pytest.approx([1.5, 1.5])
    assert one["rounds"] == 6
    assert [each["ours_ms"] for each in one["repeats"]] == [1.0, 4.0]
    assert [each["ratio"]["torch"] for each in one["repeats"]] == pytest.approx([3.0, 0.75])


def test_where_one_repeat_was_slow_for_both_the_ratio_is_what_it_was_in_each():
    """The middle of all rounds would be slow for one of them and fast for the other."""
    fast, slow = runs((0.0010, 0.0010), (0.0020, 0.0020))
    fast.values = {"ours": [0.0010] * 2 + [0.0021], "torch": [0.0010] * 3}
    slow.values = {"ours": [0.0020] * 3, "torch": [0.0020] * 2 + [0.0011]}
    one = record([fast, slow], 100.0)
    assert one["ratio"]["torch"] == pytest.approx(1.0)


def test_an_error_in_one_repeat_is_an_error():
    broken = Measurement(TINY, "infer", error="torch died")
    for both in ([*runs((1.0, 1.0)), broken], [broken, *runs((1.0, 1.0))]):
        one = record(both, 100.0)
        assert one["error"] == "torch died" and "ours_ms" not in one


def test_means_are_by_kind_and_peer_and_leave_errors_out():
    peers = {"torch": {}, "onnxruntime": {}}
    records = [
        {"kind": "infer", "ratio": {"torch": 2.0, "onnxruntime": 1.0}, "peers": peers},
        {"kind": "infer", "ratio": {"torch": 8.0}, "peers": peers},
        {"kind": "train", "ratio": {"torch": 3.0}, "peers": peers},
        {"kind": "train", "error": "no"},
    ]
    found = geomeans(records)
    assert found["infer"] == pytest.approx({"torch": 4.0, "onnxruntime": 1.0})
    assert found["train"] == pytest.approx({"torch": 3.0})


def test_a_peer_that_was_not_held_to_the_run_s_isa_is_marked_and_has_no_mean():
    one = record([measure("infer")], 100.0, unheld=["onnxruntime", "absent"])
    assert one["peers"] == {"torch": {"ms": 3.0}, "onnxruntime": {"ms": 1.0, "isa": "native"}}
    assert geomeans([one])["infer"] == pytest.approx({"torch": 1.5})


def test_quiet_times_are_of_all_repeats():
    both = [Measurement(TINY, "infer", {"ours": [0.006]}, quiet=[s]) for s in (0.001, 0.004)]
    one = record(both, 100.0)
    assert one["quiet_one_thread_ms"] == pytest.approx(2.0)
    assert one["busy_factor"] == pytest.approx(3.0)
