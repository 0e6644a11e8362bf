"""The machine described, and a busy one noticed."""

from __future__ import annotations

import sys

import pytest

from numba_lstm.benchmark import machine


def test_features_are_those_that_matter_for_kernels():
    told = machine.describe({"features": ["rdrnd", "fma", "avx2", "sse4.2"], "vector_bits": 256})
    assert told["features"] == ["avx2", "fma", "sse4.2"]
    assert told["vector_bits"] == 256
    assert told["cpu"] and told["cpus"] >= 1


def test_caches_are_read_where_the_system_tells(tmp_path):
    for number, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "1024K")]
    ):
        index = tmp_path / f"index{number}"
        index.mkdir()
        about = {"level": level, "type": kind, "size": size, "shared_cpu_list": "0"}
        for name, text in about.items():
            (index / name).write_text(text + "\n")
    (tmp_path / "index3").mkdir()  # tells nothing
    found = machine._caches(tmp_path)
    assert found == {"L1 Data": "32K", "L1 Instruction": "64K", "L2": "1024K"}
    assert machine._caches(tmp_path / "absent") == {}


def watch(monkeypatch, load=0.0, system=((0.0, 0.0), (0.0, 0.0)), own=(0.0, 0.0), cpus=2):
    """A watch over 10 seconds: all CPUs' (busy, stolen) and our own seconds before and after."""
    readings, mine, clocks = iter(system), iter(own), iter((100.0, 110.0))

    class Times:
        def __init__(self):
            self.elapsed = next(clocks)

    monkeypatch.setattr(machine.os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    monkeypatch.setattr(machine.os, "times", Times)
    monkeypatch.setattr(machine, "_jiffies", lambda: next(readings))
    monkeypatch.setattr(machine, "_own_seconds", lambda: next(mine))
    return machine.Watch(cpus=cpus)


def test_a_quiet_machine_gives_no_warning(monkeypatch):
    quiet = watch(monkeypatch, 0.2, ((50.0, 1.0), (65.5, 1.1)), (1.0, 16.0))
    assert quiet.at_start() == []
    told = quiet.finish([100.0, 98.0])
    assert told["warnings"] == []
    assert told["others"] == pytest.approx(0.5 / 20)
    assert told["steal"] == pytest.approx(0.1 / 20)
    assert told["lowest_peak"] == 0.98


@pytest.mark.parametrize(
    "signs, peaks, words",
    [
        ({"load": 1.0}, [1.0], "load 1.00 on 2 CPUs"),
        (
            {"system": ((50.0, 0.0), (70.0, 0.0)), "own": (0.0, 15.0)},
            [1.0],
            "other programs used 25%",
        ),
        ({"system": ((50.0, 0.0), (50.0, 2.0))}, [1.0], "hypervisor took 10%"),
        ({}, [100.0, 80.0, 99.0], "FMA peak fell to 80%"),
    ],
)
def test_each_sign_of_company_is_warned_of(monkeypatch, signs, peaks, words):
    (warning,) = watch(monkeypatch, **signs).finish(peaks)["warnings"]
    assert words in warning


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_this_system_s_counters_only_grow():
    before = machine._jiffies()
    after = machine._jiffies()
    assert 0 < before[0] <= after[0] and 0 <= before[1] <= after[1]


def test_a_system_that_tells_nothing_is_no_failure(monkeypatch):
    told = watch(monkeypatch, system=(None, None)).finish([])
    assert told["others"] is told["steal"] is None and told["warnings"] == []
