"""Dropout's masks: the probability that was asked for, independent elements, both dtypes alike."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.dropout_masks import draw_mask, draw_ones

F4, F8 = np.dtype("f4"), np.dtype("f8")


@pytest.mark.parametrize("p", [1e-4, 0.1, 0.2, 1 / 3, 0.5, 0.75, 0.9, 0.9999])
def test_the_probability_is_honoured(p):
    count = 4_000_000
    dropped = count - np.count_nonzero(draw_mask(np.random.default_rng(0), (count,), p, F4))
    assert abs(dropped - count * p) < 4 * np.sqrt(count * p * (1 - p))


@pytest.mark.parametrize("p", [1e-3, 0.3])
def test_the_probability_is_finer_than_a_byte(p):
    # Of the 256 values of a byte one is shared between dropped and kept. Were it not, p would be
    # off by up to 1/256: 0.001 would be 0 or 0.0039, and 0.3 would be 76/256 = 0.297.
    count = 20_000_000
    kept = np.count_nonzero(draw_mask(np.random.default_rng(1), (count,), p, F4))
    assert abs(1 - kept / count - p) < 5 * np.sqrt(p * (1 - p) / count) < 0.0006


@pytest.mark.parametrize("dtype", [F4, F8])
def test_kept_elements_are_scaled_by_exactly_one_over_one_minus_p(dtype):
    mask = draw_mask(np.random.default_rng(0), (3, 50, 7), 0.2, dtype)
    assert mask.shape == (3, 50, 7) and mask.dtype == dtype and mask.flags.carray
    assert set(np.unique(mask)) == {0, dtype.type(1 / 0.8)}


def test_a_mask_is_the_same_in_both_dtypes():
    small, wide = (draw_mask(np.random.default_rng(2), (99, 3), 0.3, t) for t in (F4, F8))
    assert np.array_equal(small > 0, wide > 0)


def test_elements_are_independent():
    mask = draw_mask(np.random.default_rng(0), (2_000_000,), 0.3, F8) > 0
    centred = mask - mask.mean()
    for lag in (1, 2, 7, 8, 64):
        correlation = (centred[lag:] * centred[:-lag]).mean() / centred.var()
        assert abs(correlation) < 4 / np.sqrt(mask.size)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (5, 0)])
def test_masks_of_any_shape(shape):
    assert draw_mask(np.random.default_rng(0), shape, 0.3, F4).shape == shape


@pytest.mark.parametrize("dtype", [F4, F8])
def test_ones_are_drawn_with_their_probability(dtype):
    for p in (1e-3, 0.3, 0.9):
        ones = draw_ones(np.random.default_rng(0), (1000, 400), p, dtype)
        assert ones.shape == (1000, 400) and ones.dtype == dtype and ones.flags.carray
        assert set(np.unique(ones)) == {0, 1}
        assert abs(ones.mean(dtype="f8") - p) < 5 * np.sqrt(p * (1 - p) / ones.size)


def test_where_nothing_is_left_to_chance_nothing_is_drawn():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    for draw, of_zero, of_one in ((draw_mask, 1, 0), (draw_ones, 0, 1)):
        for p, expected in ((0.0, of_zero), (1.0, of_one)):
            for dtype in (F4, F8):
                mask = draw(rng, (3, 5), p, dtype)
                assert mask.shape == (3, 5) and mask.dtype == dtype and (mask == expected).all()
    assert rng.bit_generator.state == before
