"""The engine: agreement first, then peers in turns; failures are noted, processes are closed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from fake_bench import MS, QUIET_MS, TINY, fake_engine

from numba_lstm.benchmark.engine import FULL, QUICK
from numba_lstm.benchmark.isa import ISAS
from numba_lstm.benchmark.process import PeerFailed


@pytest.fixture
def every_isa(monkeypatch):
    """A machine that has all instruction sets."""
    everything = {name for isa in ISAS.values() for name in isa.needs}
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("numba_lstm.benchmark.isa._features", lambda: everything)


def measured(kinds, settings=QUICK, **engine):
    log: list = []
    return fake_engine(log, settings, **engine).measure(TINY, kinds), log


def test_results_are_compared_before_anything_is_timed():
    _, log = measured(["train"])
    done = [entry[1] for entry in log]
    assert done.index("time") > max(i for i, what in enumerate(done) if what == "results")
    assert done.index("warm") > max(i for i, what in enumerate(done) if what == "results")


def test_peers_take_turns_and_the_first_of_a_round_changes():
    _, log = measured(["infer"], replace(QUICK, rounds=3, limit=60.0))
    order = [entry[0] for entry in log if entry[1] == "time"]
    there = ["ours", "torch", "onnxruntime"]
    assert order == there + there[::-1] + there


def test_each_round_s_figure_is_kept():
    (one,), _ = measured(["infer"], replace(QUICK, rounds=4, limit=60.0))
    assert one.error is None
    there = ("ours", "torch", "onnxruntime")
    assert one.values == {name: [MS[name] / 1e3] * 4 for name in there}
    assert one.details["torch"]["p99"] == [2 * MS["torch"] / 1e3] * 4


def test_a_case_that_takes_too_long_gets_the_least_number_of_rounds():
    (one,), _ = measured(["infer"], replace(FULL, limit=-1.0))
    assert {len(values) for values in one.values.values()} == {FULL.least_rounds}


def test_a_peer_takes_part_only_in_its_kinds():
    (one,), _ = measured(["train"])
    assert set(one.values) == {"ours", "torch"}


@pytest.mark.parametrize("kind", ["infer", "train", "latency", "cold"])
def test_a_peer_that_disagrees_gives_an_error_and_no_figures(kind):
    (one,), log = measured([kind], wrong="torch")
    assert one.error.startswith("torch disagrees: y is off by")
    assert one.values == {} and one.details == {}
    assert "time" not in [entry[1] for entry in log]


def test_our_own_wrong_results_are_an_error_too():
    (one,), _ = measured(["infer"], wrong="ours")
    assert "disagrees" in one.error


def test_a_dead_peer_gives_an_error_and_the_next_kinds_are_still_tried():
    found, _ = measured(["infer", "cold"], dead="torch")
    assert found[0].error == "torch: its process ended with code -9"
    assert found[1].error is None


def test_every_process_that_was_started_is_closed():
    for dead in ("", "torch"):
        _, log = measured(["infer", "train", "memory"], dead=dead)
        started = sum(entry[1] == "prepare" for entry in log)
        assert started and sum(entry[1] == "close" for entry in log) >= 3


def test_a_case_s_processes_serve_all_of_its_timed_kinds():
    _, log = measured(["infer", "train", "latency"])
    assert [entry[0] for entry in log if entry[1] == "close"] == ["onnxruntime", "torch", "ours"]


def test_memory_comes_from_a_fresh_process_each_time():
    (one,), log = measured(["memory"], replace(QUICK, memory_rounds=3))
    assert [entry[1] for entry in log] == ["prepare", "memory", "close"] * 6
    assert one.values["torch"] == [150 * 2**20] * 3


def test_cold_starts_once_before_it_counts_and_compiles_into_an_empty_cache():
    (one,), log = measured(["cold"], replace(FULL, cold_rounds=2))
    assert [entry[0] for entry in log] == ["ours", "torch"] * 3 + ["ours"]
    assert "NUMBA_LSTM_CACHE_DIR" in log[-1][2:]
    assert all("NUMBA_LSTM_CACHE_DIR" not in entry[2:] for entry in log[:-1])
    assert one.values["ours"] == [2.0, 2.0]
    assert one.details["ours"]["first_with_compiling"] == [10.2]


def test_the_peak_is_measured_at_the_start_and_before_each_case():
    log: list = []
    engine = fake_engine(log)
    assert engine.survey() == 20.0
    before = len(engine.peaks)
    engine.measure(TINY, ["infer", "train"])
    assert before >= 1 and len(engine.peaks) == before + 1
    assert "features" in engine.about["ours"]["machine"]


def test_ours_alone_settles_its_plans_before_it_is_timed():
    _, log = measured(["infer"], FULL)
    settled = [i for i, (_, do) in enumerate(log) if do == "settle"]
    assert [log[i][0] for i in settled] == ["ours"]
    assert settled[0] < [do for _, do in log].index("time")


def test_busy_loops_run_while_calls_are_timed_and_are_gone_after(monkeypatch):
    log: list = []

    @contextmanager
    def loops(n):
        log.append(("loops", n))
        yield
        log.append(("loops", 0))

    monkeypatch.setattr("numba_lstm.benchmark.engine.busy_loops", loops)
    engine = fake_engine(log, replace(QUICK, rounds=1, least_rounds=1, busy=2), ("torch",))
    (one,) = engine.measure(TINY, ["infer"])
    begin, end = log.index(("loops", 2)), log.index(("loops", 0))
    times = [i for i, entry in enumerate(log) if entry[1] == "time"]
    assert [log[i][0] for i in times] == ["ours", "ours", "torch"]
    assert times[0] < begin < times[1] < times[2] < end
    assert log[times[0] + 1] == ("ours", "close") and times[0] + 1 < begin
    assert one.quiet == [QUIET_MS / 1e3] and one.values["ours"] == [MS["ours"] / 1e3]
    for kind in ("cold", "memory"):
        log.clear()
        engine.measure(TINY, [kind])
        assert ("loops", 2) in log


def test_without_busy_loops_nothing_is_measured_on_one_thread():
    (one,), log = measured(["infer"])
    closed = [name for name, do, *_ in log if do == "close"]
    assert one.quiet == [] and closed == ["onnxruntime", "torch", "ours"]


def test_every_process_of_a_peer_gets_its_environment(monkeypatch, every_isa):
    log: list = []
    engine = fake_engine(log, replace(QUICK, isa="avx2"), ("rules",))
    started = []
    start = engine._start
    monkeypatch.setattr(
        engine, "_start", lambda *a, **e: (started.append((a[0], e)), start(*a, **e))[1]
    )
    engine.survey()
    engine.measure(TINY, TINY.kinds)
    assert {name for name, _ in started} == {"ours", "rules"}
    for name, environment in started:
        assert environment["NUMBA_CPU_NAME"] == "x86-64-v3"
        assert environment["NUMBA_LSTM_TUNE"] == ("0" if name == "rules" else "1")
    cold = [entry for entry in log if entry[1] == "cold"]
    assert cold and all("NUMBA_CPU_NAME" in entry for entry in cold)


def test_kernels_that_are_not_as_wide_as_asked_for_are_an_error(monkeypatch, every_isa):
    monkeypatch.setitem(ISAS, "avx2", replace(ISAS["avx2"], vector_bits=64))
    engine = fake_engine([], replace(QUICK, isa="avx2"))
    with pytest.raises(PeerFailed, match="ours: vectors of 256 bits, AVX2 was asked for"):
        engine.survey()


def test_the_rules_must_give_the_same_bits_and_others_need_not(monkeypatch):
    def write_results(path, wrong):
        np.savez(path, y=np.array([1.0, 2.0 + 1e-7 * wrong]))

    monkeypatch.setattr("fake_bench.write_results", write_results)
    for peer, agrees in (("torch", True), ("rules", False)):
        (one,) = fake_engine([], QUICK, (peer,), wrong=peer).measure(TINY, ["infer"])
        assert (one.error is None) == agrees, one.error
