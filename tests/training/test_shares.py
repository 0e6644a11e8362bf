"""Ranks share out each batch: nothing twice, nothing left out, and weights that sum to the mean."""

from __future__ import annotations

import numpy as np
import pytest
from ranks_tool import ThreadRank

from numba_lstm.distributed import Alone
from numba_lstm.training.batching import Batches
from numba_lstm.training.shares import Share, Shares


def ranks(size):
    return [ThreadRank(rank, [None] * size, None) for rank in range(size)]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_shares_of_a_pass_are_its_batches(size):
    x = np.arange(22.0).reshape(11, 2, 1)
    whole = Batches(x, np.arange(11), 4, seed=3)
    shared = [Shares(Batches(x, np.arange(11), 4, seed=3), group) for group in ranks(size)]
    assert {len(one) for one in shared} == {3}
    for epoch in range(2):
        for (inputs, targets), *parts in zip(whole, *shared, strict=True):
            assert sum(part.weight for part in parts) == pytest.approx(1.0)
            some = [part.item for part in parts if part.weight]
            assert np.array_equal(np.concatenate([x for x, _ in some], axis=1), inputs)
            assert np.array_equal(np.concatenate([y for _, y in some]), targets)
            assert all(part.item is None for part in parts if not part.weight)
        assert all(one.passes.epoch == epoch + 1 for one in shared)


def test_of_one_process_it_is_the_batch_itself():
    batches = Batches(np.zeros((5, 2, 1)), np.arange(5), 4, seed=0)
    found = list(Shares(batches, Alone()))
    batches.epoch = 0
    assert [part.weight for part in found] == [1.0, 1.0]
    for part, (_, targets) in zip(found, batches, strict=True):
        assert isinstance(part, Share) and np.array_equal(part.item[1], targets)


@pytest.mark.parametrize("stepwise", [False, True])
def test_weights_and_lengths_count(stepwise):
    lengths, weight = [3, 1, 2, 2, 4], [1.0, 2.0, 0.5, 1.0, 3.0]
    x = [np.ones((n, 1)) for n in lengths]
    y = [np.ones((n, 1)) for n in lengths] if stepwise else np.arange(5)
    counts = np.array(weight) * (lengths if stepwise else 1)
    batches = Batches(x, y, 5, shuffle=False, sample_weight=weight)
    parts = [next(iter(Shares(batches, group))) for group in ranks(2)]
    expected = [counts[:2].sum() / counts.sum(), counts[2:].sum() / counts.sum()]
    # Both ranks of this test count the passes of the same batches on; the order is kept.
    assert [part.weight for part in parts] == pytest.approx(expected)
    found = [np.sum(part.item[2]) for part in parts]
    assert np.array(found) / sum(found) == pytest.approx(expected)
