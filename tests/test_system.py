"""What the system tells of caches and load, on systems that tell more and less."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cli_tool import environment

from numba_lstm import system, tuning
from numba_lstm.system import Cache, Caches


def sysfs(folder, caches, siblings="0", cpu=0):
    """A sysfs with these caches: (level, type, size, shared_cpu_list)."""
    for number, texts in enumerate(caches):
        index = folder / f"cpu{cpu}" / "cache" / f"index{number}"
        index.mkdir(parents=True)
        for name, text in zip(("level", "type", "size", "shared_cpu_list"), texts):
            (index / name).write_text(f"{text}\n")
    topology = folder / f"cpu{cpu}" / "topology"
    topology.mkdir(parents=True)
    (topology / "thread_siblings_list").write_text(siblings + "\n")
    return folder


ZEN3 = [
    ("1", "Data", "32K", "0,8"),
    ("1", "Instruction", "32K", "0,8"),
    ("2", "Unified", "512K", "0,8"),
    ("3", "Unified", "32768K", "0-15"),
]


def test_a_core_has_its_l1_and_l2_to_itself_however_many_threads_it_runs(tmp_path):
    found = system._from_sysfs(sysfs(tmp_path, ZEN3, "0,8"), 0)
    assert found == Caches(32 << 10, 512 << 10, 32 << 20, 16, True)


def test_cores_that_share_an_l2_have_a_part_of_it_each(tmp_path):
    small_cores = [
        ("1", "Data", "32K", "4"),
        ("2", "Unified", "2M", "4-7"),
        ("3", "Unified", "24M", "0-7"),
    ]
    found = system._from_sysfs(sysfs(tmp_path, small_cores, "4", cpu=4), 4)
    assert found == Caches(32 << 10, 512 << 10, 24 << 20, 8, True)


def test_without_an_l3_the_l2_is_the_last_level(tmp_path):
    board = [("1", "Data", "32K", "0"), ("2", "Unified", "1024K", "0-3")]
    found = system._from_sysfs(sysfs(tmp_path, board), 0)
    assert found == Caches(32 << 10, 256 << 10, 1 << 20, 4, True)


def test_a_system_that_tells_nothing_gets_the_documented_numbers(tmp_path):
    found = system._from_sysfs(tmp_path / "absent", 0)
    assert found[:3] == (32 << 10, 512 << 10, 8 << 20)
    assert found.l3_cpus >= 1 and not found.told


@pytest.mark.parametrize("size", ["", "0K", "many", "-1K"])
def test_what_cannot_be_meant_is_left_out(tmp_path, size):
    broken = [*ZEN3[:2], ("2", "Unified", size, "0"), ZEN3[3]]
    found = system._from_sysfs(sysfs(tmp_path, broken, "0,8"), 0)
    assert found.l2 == 512 << 10 and not found.told and found.l3 == 32 << 20


def test_all_levels_are_listed(tmp_path):
    folder = sysfs(tmp_path, ZEN3) / "cpu0" / "cache"
    assert system.levels(folder)[1:3] == [
        Cache(1, "Instruction", 32 << 10, 2),
        Cache(2, "Unified", 512 << 10, 2),
    ]


def test_apple_s_fast_cores_share_an_l2():
    told = {
        "hw.perflevel0.l1dcachesize": 128 << 10,
        "hw.perflevel0.l2cachesize": 16 << 20,
        "hw.perflevel0.cpusperl2": 4,
        "hw.l1dcachesize": 64 << 10,
    }
    found = system._from_sysctl(told.get)
    assert found == Caches(128 << 10, 4 << 20, 16 << 20, 4, True)
    found = system._from_sysctl(lambda name: None)
    assert found[:3] == (32 << 10, 512 << 10, 8 << 20) and not found.told
    intel = {"hw.l1dcachesize": 32 << 10, "hw.l2cachesize": 256 << 10, "hw.l3cachesize": 6 << 20}
    assert system._from_sysctl(intel.get)[:3] == (32 << 10, 256 << 10, 6 << 20)


def test_sysctl_is_asked_where_there_is_one_and_nothing_fails_elsewhere():
    value = system._sysctl("hw.l1dcachesize")
    assert value is None or value > 0


def test_this_machine_has_caches_and_a_name():
    found = system.caches()
    assert 0 < found.l1d <= found.l2 <= 1 << 30 and found.l3 > 0
    assert system.cpu_model()


def test_block_sizes_follow_from_the_caches(monkeypatch):
    for l2, l3, expected in (
        (1 << 20, 32 << 20, (768 << 10, 4 << 20)),
        (512 << 10, 8 << 20, (384 << 10, 1 << 20)),
        (256 << 10, 1 << 20, (192 << 10, 512 << 10)),
        (2 << 20, 256 << 20, (1536 << 10, 4 << 20)),
    ):
        monkeypatch.setattr(
            system, "caches", lambda l2=l2, l3=l3: Caches(32 << 10, l2, l3, 2, True)
        )
        for name in ("L2_BYTES", "PIECE_BYTES"):
            monkeypatch.delattr(tuning, name)  # each was asked for before
        assert expected == (tuning.L2_BYTES, tuning.PIECE_BYTES)
    with pytest.raises(AttributeError, match="no attribute 'L4_BYTES'"):
        tuning.L4_BYTES  # noqa: B018


def test_nothing_is_read_before_it_is_asked_for():
    code = """
import numba_lstm.recurrent.plan
from numba_lstm import system, tuning
print(system.caches.cache_info().currsize, "L2_BYTES" in vars(tuning))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


def proc(folder, running, states):
    folder.mkdir()
    (folder / "loadavg").write_text(f"0.52 0.30 0.20 {running}/345 12345\n")
    for number, state in enumerate(states):
        task = folder / "self" / "task" / str(number)
        task.mkdir(parents=True)
        (task / "stat").write_text(f"{number} (python) R x) {state} 1 2 3\n")
    return folder


def test_others_that_run_are_those_that_are_not_this_process_s(tmp_path):
    assert system.others_running(proc(tmp_path / "a", 5, "RSRS")) == 3
    assert system.others_running(proc(tmp_path / "b", 1, "RRR")) == 0
    assert system.others_running(tmp_path / "absent") is None
    (tmp_path / "a" / "self" / "task" / "0" / "stat").unlink()  # a thread that has just ended
    assert system.others_running(tmp_path / "a") == 4


@pytest.mark.parametrize("own, others", [((2, 1, 1), 1), ((2, 2), 0), ((2, 1, 2, 1), 0)])
def test_a_worker_that_goes_to_sleep_meanwhile_is_no_other_process(
    monkeypatch, tmp_path, own, others
):
    """Its counts, one after the other; where they go on changing the larger one holds."""
    counts = iter(own)
    monkeypatch.setattr(system, "_own_running", lambda folder: next(counts))
    assert system.others_running(proc(tmp_path / "a", 2, "RR")) == others
    assert next(counts, None) is None


def test_a_machine_is_crowded_where_there_are_fewer_cpus_than_threads_want(monkeypatch):
    monkeypatch.setattr(system.os, "cpu_count", lambda: 8)
    for others, threads, crowded in ((0, 8, False), (1, 8, True), (4, 4, False), (None, 8, False)):
        monkeypatch.setattr(system, "others_running", lambda others=others: others)
        assert system.crowded(threads) is crowded


def test_memory_is_the_machines_or_what_a_container_may_have(monkeypatch, tmp_path):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**20}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    assert system.memory(tmp_path) == 2**32
    (tmp_path / "memory.max").write_text("max\n")
    assert system.memory(tmp_path) == 2**32
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert system.memory(tmp_path) == 2**30
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("536870912\n")
    assert system.memory(tmp_path) == 2**29
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert system.memory(tmp_path) == 2**30


def test_where_no_memory_is_told_it_is_what_can_be_addressed(monkeypatch, tmp_path):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": -1}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    assert system.memory(tmp_path) == 2**47
    monkeypatch.delattr(os, "sysconf")
    assert system.memory(tmp_path) == 2**47


def test_the_shell_may_allow_less_memory():
    resource = pytest.importorskip("resource")
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "from numba_lstm.system import memory; print(memory())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    )
    assert done.stdout == f"{2**30}\n", done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 2**30
