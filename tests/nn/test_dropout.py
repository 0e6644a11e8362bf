from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from gradcheck import check_vjp

from numba_lstm.dropout_masks import draw_mask
from numba_lstm.nn import Dropout, Sequential

F4, F8 = np.dtype("f4"), np.dtype("f8")


@pytest.mark.parametrize("dtype", [F4, F8])
def test_training_drops_and_scales_and_the_pullback_uses_the_same_mask(rng, dtype):
    x, dy = rng.standard_normal((2, 40, 31)).astype(dtype)
    before = x.copy()
    y, pullback = Dropout(0.4, seed=1).vjp(x)
    mask = draw_mask(np.random.default_rng(1), x.shape, 0.4, dtype)
    assert y.dtype == dtype and np.array_equal(y, x * mask)
    kept = y.copy()
    y[...] = np.nan  # what the caller does to y changes nothing
    dx = pullback(dy)
    assert dx.dtype == dtype and np.array_equal(dx, dy * mask)
    assert np.array_equal(x, before) and 0 < np.count_nonzero(kept) < x.size


def test_gradient_equals_differences(rng):
    check_vjp(Dropout(0.3, seed=0), rng.standard_normal((7, 9)), rng=rng)


def test_call_drops_in_training_as_vjp_does():
    x = np.ones((5, 8))
    assert np.array_equal(Dropout(seed=3)(x), Dropout(seed=3).vjp(x)[0])
    dropout = Dropout(seed=3)
    assert not np.array_equal(dropout(x), dropout(x))


@pytest.mark.parametrize("p", [0, 0.5, 1])
def test_evaluation_is_the_identity_in_new_memory(rng, p):
    dropout = Dropout(p).eval()
    x = rng.standard_normal((3, 4))
    y, pullback = dropout.vjp(x)
    dx = pullback(x)
    for result in (dropout(x), y, dx):
        assert np.array_equal(result, x) and not np.shares_memory(result, x)


def test_the_ends_of_the_range_in_training(rng):
    x = rng.standard_normal((3, 4))
    kept, dropped = Dropout(0.0), Dropout(1)
    assert np.array_equal(kept(x), x) and not np.shares_memory(kept(x), x)
    y, pullback = dropped.vjp(x)
    assert not y.any() and not pullback(x).any()


def test_numbers_that_are_not_float64_become_float32():
    dropout = Dropout().eval()
    for x in ([1.0, 2.0], np.ones(2, "f2"), np.ones(2, int), np.ones(2, ">f4"), (1, 2)):
        assert dropout(x).dtype == F4
    for x in (np.ones(2), np.ones(2, ">f8"), np.ma.array([1.0], mask=False)):
        assert dropout(x).dtype == F8


def test_a_cotangent_of_none_is_zero_and_a_wrong_one_is_refused():
    x = np.ones((2, 3))
    assert not Dropout().vjp(x)[1](None).any()
    y, pullback = Dropout(0.5, seed=0).vjp(x)
    with pytest.raises(ValueError, match=r"^dy: expected shape \(2, 3\), got \(3,\)"):
        pullback(np.ones(3))
    assert np.array_equal(pullback(x), y)
    with pytest.raises(RuntimeError, match="called already"):
        pullback(x)


@pytest.mark.usefixtures("global_random_state_stays")
def test_the_same_seed_gives_the_same_masks():
    x = np.ones(100)
    assert np.array_equal(Dropout(seed=5)(x), Dropout(seed=5)(x))
    assert not np.array_equal(Dropout(seed=5)(x), Dropout(seed=6)(x))
    assert not np.array_equal(Dropout()(x), Dropout()(x))


def test_a_restored_random_state_continues_bit_for_bit():
    shared = np.random.default_rng(1)
    model = Sequential(Dropout(0.2, seed=shared), Dropout(0.3, seed=shared), Dropout(seed=2))
    x = np.ones((11, 13))
    model(x)
    saved = json.loads(json.dumps(model.random_state()))
    assert list(saved) == ["0.rng", "2.rng"]
    expected = [model(x), model(x)]
    shared = np.random.default_rng(7)
    other = Sequential(Dropout(0.2, seed=shared), Dropout(0.3, seed=shared), Dropout(seed=8))
    other.load_random_state(saved)
    assert np.array_equal(other(x), expected[0])
    assert np.array_equal(copy.deepcopy(other)(x), expected[1])  # a copy shares as its model does
    model.load_random_state(saved)
    assert np.array_equal(model(x), expected[0]) and np.array_equal(model(x), expected[1])


@pytest.mark.parametrize("p, error", [(-0.1, ValueError), (1.5, ValueError), ("x", TypeError),
                                      (float("nan"), ValueError), (None, TypeError)])  # fmt: skip
def test_a_wrong_probability_is_refused(p, error):
    with pytest.raises(error, match=r"^p: expected a number from 0 to 1, got "):
        Dropout(p)


@pytest.mark.parametrize("x", [None, "text", [1j]])
def test_a_wrong_input_is_refused_and_draws_nothing(x):
    dropout = Dropout(seed=0)
    before = dropout.random_state()
    for call in (dropout, dropout.vjp):
        with pytest.raises(TypeError, match=r"^x: expected real numbers, got "):
            call(x)
    assert dropout.random_state() == before


def test_repr():
    assert repr(Dropout(0.2)) == "Dropout(p=0.2)"


@pytest.mark.parametrize("training", [True, False])
def test_arrays_that_are_given_away_are_used_and_give_the_same(training):
    x = np.random.default_rng(0).standard_normal((50, 3)).astype("f4")
    drop, same = (Dropout(0.3, seed=1).train(training) for _ in range(2))
    y, back = drop.vjp(x)
    mine, dmine = x.copy(), x.copy()
    y_own, back_own = same.vjp(mine, inplace=True)
    assert y_own is mine and np.array_equal(y, y_own)
    expected = back(x)
    found = back_own(dmine)
    assert found is dmine and np.array_equal(found, expected)
    assert not np.shares_memory(y, x) and not np.shares_memory(expected, x)
    assert np.shares_memory(drop.eval()(x, inplace=True), x)
