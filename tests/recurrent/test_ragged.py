"""Batches of different lengths: which rows there are, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.parameters.scratch import Lease
from numba_lstm.recurrent.ragged import Ragged


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_are_gathered_sorted_and_scattered_back(rng, batch_first):
    lengths = np.array([2, 0, 5, 3, 5])
    ragged = Ragged(lengths, 6, batch_first)
    assert lengths[ragged.order].tolist() == [5, 5, 3, 2, 0] and ragged.some == 4
    x = rng.standard_normal((5, 6, 2) if batch_first else (6, 5, 2))
    rows = ragged.gather(x, Lease())
    by_time = x.swapaxes(0, 1) if batch_first else x
    expected = [by_time[t, b] for t in range(5) for b in ragged.order if lengths[b] > t]
    assert np.array_equal(rows, expected)
    back = ragged.scatter(rows, x.shape)
    real = np.arange(6)[:, None] < lengths
    assert np.array_equal(back, x * (real.T if batch_first else real)[..., None])
    states = rng.standard_normal((2, 5, 3))
    assert np.array_equal(ragged.unsort(ragged.sort(states)), states)
    parts = [rng.standard_normal((5, width)) for width in (3, 2)]
    for part, back in zip(parts, ragged.unsort(ragged.sort(parts)), strict=True):
        assert np.array_equal(part, back)


def test_with_empty_sequences_alone_one_step_runs_no_rows():
    ragged = Ragged(np.zeros(3, np.int64), 4, False)
    assert (ragged.some, ragged.steps.count, ragged.steps.rows) == (0, 1, 0)
    assert not ragged.scatter(np.ones((0, 2)), (4, 3, 2)).any()
