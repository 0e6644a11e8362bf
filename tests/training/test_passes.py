"""A pass over samples has an order of its own, the same for the same seed."""

from __future__ import annotations

import numpy as np

from numba_lstm.training.passes import Passes


class Numbers(Passes):
    def batch(self, chosen):
        return (chosen.tolist(),)


def test_each_pass_has_every_sample_once_in_another_order():
    passes = Numbers(np.arange(10), 4, True, 3)
    assert len(passes) == 3
    first, second = ([n for (batch,) in passes for n in batch] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second and passes.epoch == 2


def test_a_pass_can_be_gone_on_with_from_any_batch():
    passes = Numbers(np.arange(10), 4, True, 3)
    list(passes)
    whole = list(passes)
    assert list(Numbers(np.arange(10), 4, True, 3).beginning_at(1, 2)) == whole[2:]


def test_without_shuffling_samples_stand_as_they_are():
    assert list(Numbers(np.array([7, 5, 6]), 2, False, None)) == [([7, 5],), ([6],)]
