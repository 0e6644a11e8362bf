"""A step backward: its blocks of vectors, and what zoneout and a reset let go past the cell."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.kernels.loops.backward_step import (
    back_through_masks,
    clear_padding,
    state_gradient,
    store_state_gradient,
    vectors_at_once,
)
from numba_lstm.simd import PANEL, TARGET, at, load, store

DTYPES = ["f4", "f8"]


class Some(NamedTuple):
    """What those kernels look at of a `arguments.BackwardArguments`."""

    d_gate_state: Any
    dcells: Any
    masked: bool
    keep: Any
    drop: Any
    zone_c: Any


@driver
def _state(crew, nt, a, factor, inside):
    """dc of each row through a cell whose dc_prev is `factor` times dc, which is left in inside."""
    for _ in range(nt):
        for r in range(inside.shape[0]):
            d, past = state_gradient(a, r, r, 0)
            store(at(inside, (r, 0)), 0, d)
            store_state_gradient(d * load(at(factor, (0,)), 0) + past, a, r, r, 0)


@driver
def _scaled(crew, nt, a, x, out):
    for _ in range(nt):
        for r in range(x.shape[0]):
            store(at(out, (r, 0)), 0, back_through_masks(load(at(x, (r, 0)), 0), a, r, r, 0))


@driver
def _cleared(crew, nt, z, slots, count):
    for _ in range(nt):
        clear_padding(at(z, (0, 0)), slots, count)


def some(dtype, dc, **given):
    none = np.empty((0, 0), dtype)
    return Some(dc, none, True, none.reshape(-1), none, none)._replace(**given)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_zoneout_keeps_goes_past_the_cell(rng, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    dc, dcells = (rng.standard_normal((3, v)).astype(dtype) for _ in range(2))
    zone = np.repeat(np.array([[0], [1], [0.25]], dtype), v, axis=1)
    inside, factor = np.empty_like(dc), np.full(v, 2, dtype)
    for given, k, arriving in (
        ({}, 0 * zone, dc),
        ({"dcells": dcells}, 0 * zone, dc + dcells),
        ({"dcells": dcells, "zone_c": zone}, zone, dc + dcells),
    ):
        a = some(dtype, dc.copy(), **given)
        _state(1, a, factor, inside)
        assert np.array_equal(inside, (1 - k) * arriving)
        np.testing.assert_allclose(a.d_gate_state, (2 - k) * arriving, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_goes_back_past_a_reset_not_even_nan(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    nan = np.full((2, v), np.nan, dtype)
    keep, drop = np.array([0, 1], dtype), np.full((2, v), 2, dtype)
    a = some(dtype, nan.copy(), keep=keep)
    _state(1, a, np.ones(v, dtype), np.empty_like(nan))
    assert not a.d_gate_state[0].any() and np.isnan(a.d_gate_state[1]).all()
    x = np.array([[np.nan], [3]], dtype).repeat(v, axis=1)
    out = np.empty_like(x)
    _scaled(1, some(dtype, nan, keep=keep, drop=drop), x, out)
    assert not out[0].any() and (out[1] == 6).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_padding_of_each_vector_is_cleared_and_nothing_else(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    for count in (-1, 0, 1, v - 1):
        z = np.full((2, 4 * v), 5, dtype)
        z[0, v - 1 :: v] = np.nan
        _cleared(1, z, 3, count)
        some = z[0].reshape(4, v)
        assert (some[:3, : max(0, count)] == 5).all() and not some[:3, max(0, count) :].any()
        assert (some[3, : v - 1] == 5).all() and (z[1] == 5).all()


def test_blocks_of_vectors_cover_all_from_any_start_and_stay_in_their_panels():
    for m in (1, 2, 3, 6, 7, 50):
        for start in range(0, 9):
            for end in range(start + 1, 40):
                vector = start
                while vector < end:
                    count = vectors_at_once(m, vector, end)
                    assert 1 <= count <= end - vector
                    if count > PANEL:
                        assert vector % PANEL == 0 and count % PANEL == 0
                    else:
                        assert vector % PANEL + count <= PANEL
                    vector += count
                assert vector == end
