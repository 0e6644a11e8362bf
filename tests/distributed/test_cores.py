"""The cores of a machine are shared out among the ranks that may run on the same ones."""

from __future__ import annotations

import pytest
from ranks_tool import ThreadRank, in_threads

from numba_lstm import threads
from numba_lstm.distributed import cores


class On(ThreadRank):
    """A rank on a machine with so many ranks, and bound to some cores."""

    def node(self) -> tuple[int, int]:
        return self.rank % 2, 2


@pytest.mark.parametrize(
    ("bound", "told", "expected"),
    [
        (None, {}, [4, 4, 4, 4]),  # two machines of two ranks
        ("each", {}, [2, 2, 2, 2]),
        (None, {"OMP_NUM_THREADS": "3"}, []),
        (None, {"NUMBA_NUM_THREADS": "3"}, []),
    ],
)
def test_ranks_take_their_share_unless_something_else_says(monkeypatch, bound, told, expected):
    chosen = []
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(threads, "set_num_threads", chosen.append)
    have = 8 if bound is None else 2
    monkeypatch.setattr(threads, "get_num_threads", lambda: have)
    places = iter(range(100))

    def mine(_):
        return set(range(8)) if bound is None else {next(places)}

    monkeypatch.setattr(cores.os, "sched_getaffinity", mine, raising=False)
    outcomes = in_threads(4, lambda group: cores.share_cores(as_on(group)))
    assert outcomes == [None] * 4
    assert chosen == expected


def as_on(group):
    return On(group.rank, group._slots, group._meeting)


def test_there_is_at_least_one_thread(monkeypatch):
    chosen = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "set_num_threads", chosen.append)
    monkeypatch.setattr(threads, "get_num_threads", lambda: 1)
    assert in_threads(2, lambda group: cores.share_cores(as_on(group))) == [None] * 2
    assert chosen == [1, 1]
