from __future__ import annotations

import os

import pytest
from ranks_tool import in_threads

from numba_lstm import threads
from numba_lstm.distributed import Alone, cores, share_cores


@pytest.fixture
def four_cores(monkeypatch):
    """Four cores for this process, and what each rank has been told, by thread."""
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    told = []
    monkeypatch.setattr(threads, "get_num_threads", lambda: 4)
    monkeypatch.setattr(threads, "set_num_threads", told.append)
    return told


@pytest.mark.parametrize("size, each", [(1, 4), (2, 2), (3, 1), (4, 1), (5, 1)])
def test_ranks_of_a_machine_share_its_cores(size, each, four_cores, monkeypatch):
    def run(group):
        group.node = lambda: (group.rank, group.size)
        share_cores(group)

    assert in_threads(size, run) == [None] * size
    assert four_cores == [each] * size


def test_ranks_that_are_bound_to_cores_of_their_own_keep_them(four_cores, monkeypatch):
    bound = iter(({0, 1, 2, 3}, {4, 5, 6, 7}))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: next(bound), raising=False)

    def run(group):
        group.node = lambda: (group.rank, group.size)
        share_cores(group)

    in_threads(2, run)
    assert four_cores == [4, 4]


@pytest.mark.parametrize("name", ["NUMBA_NUM_THREADS", "OMP_NUM_THREADS"])
def test_what_the_environment_says_wins(name, four_cores, monkeypatch):
    monkeypatch.setenv(name, "2")
    cores.share_cores(Alone())
    assert four_cores == []
