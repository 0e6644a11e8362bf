from __future__ import annotations

import pytest

from numba_lstm.distributed.errors import name_ranks


@pytest.mark.parametrize(
    "ranks, words",
    [
        ([3], "rank 3"),
        ([1, 0], "ranks 0-1"),
        ([0, 2], "ranks 0, 2"),
        ([7, 0, 1, 2, 5, 8], "ranks 0-2, 5, 7-8"),
    ],
)
def test_ranks_are_named_in_runs(ranks, words):
    assert name_ranks(ranks) == words
