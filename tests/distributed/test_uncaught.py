from __future__ import annotations

import sys

import pytest
from ranks_tool import in_threads

from numba_lstm.distributed import Alone, DistributedError, uncaught


@pytest.mark.parametrize(
    "rank, error, printed, codes",
    [
        (1, ValueError("own"), True, [1]),
        (0, ValueError("own"), True, [1]),
        (0, DistributedError("all have it"), True, []),
        (1, DistributedError("all have it"), False, []),
    ],
)
def test_what_one_rank_raises_ends_all_and_what_all_raise_is_printed_by_rank_0(
    rank, error, printed, codes, monkeypatch
):
    seen = []
    monkeypatch.setattr(uncaught, "_installed", False)
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args))
    called = []
    uncaught.abort_on_uncaught(rank, 2, called.append)
    hook = sys.excepthook
    uncaught.abort_on_uncaught(rank, 2, called.append)
    assert sys.excepthook is hook  # once
    hook(type(error), error, None)
    assert seen == ([(type(error), error, None)] if printed else [])
    assert called == codes


def test_ranks_of_one_process_or_of_none_set_nothing_up():
    before = sys.excepthook
    in_threads(2, lambda group: group.barrier())
    Alone()
    assert sys.excepthook is before
