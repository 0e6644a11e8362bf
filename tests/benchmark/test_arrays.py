"""All peers of a case get the same numbers, which fit their modules."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import models, nn
from numba_lstm.benchmark.arrays import make_arrays, save
from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.subject import parameters

STACK = Case("a", ("infer",), 3, 2, 4, 5, layers=2, bidirectional=True)
MODEL = Case("b", ("step",), 3, 2, 4, 5, layers=2, vocab=7)


def test_a_seed_gives_the_same_arrays_again_and_another_seed_others():
    first, again, other = make_arrays(STACK, 1), make_arrays(STACK, 1), make_arrays(STACK, 2)
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


@pytest.mark.parametrize(
    "case, module",
    [
        (STACK, nn.LSTM(4, 5, 2, bidirectional=True)),
        (MODEL, models.LanguageModel(7, 4, 5, 2)),
    ],
)
def test_parameters_are_exactly_those_of_the_module(case, module):
    given = parameters(make_arrays(case))
    assert {n: a.shape for n, a in given.items()} == {
        n: p.shape for n, p in module.named_parameters()
    }
    assert {a.dtype for a in given.values()} == {np.dtype(np.float32)}


def test_tokens_are_within_the_vocabulary():
    arrays = make_arrays(MODEL)
    for name in ("tokens", "targets"):
        assert arrays[name].shape == (3, 2)
        assert arrays[name].min() >= 0 and arrays[name].max() < 7


def test_saved_arrays_come_back(tmp_path):
    arrays = make_arrays(STACK)
    save(str(tmp_path / "a.npz"), arrays)
    with np.load(tmp_path / "a.npz") as found:
        assert sorted(found) == sorted(arrays)
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
