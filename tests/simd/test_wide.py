"""Sums in float64 and maxima of vectors are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.simd import (
    TARGET,
    add_squares_wide,
    add_wide,
    at,
    hmax,
    hsum,
    lanes,
    load,
    pointer,
    wide_zeros,
)

DTYPES = [np.float32, np.float64]


@driver
def _reduce(crew, nt, x, out):
    for _ in range(nt):
        total = wide_zeros()
        squares = wide_zeros()
        for i in range(0, x.size, lanes(x)):
            v = load(at(x, (i,)), 0)
            total = add_wide(total, v)
            squares = add_squares_wide(squares, v)
        out[0] = hsum(total)
        out[1] = hsum(squares)


@driver
def _maxima(crew, nt, x, out):
    for _ in range(nt):
        for i in range(out.size):
            out[i] = hmax(load(at(x, (i * lanes(x),)), 0))


@driver
def _first_by_address(crew, nt, address, like, out):
    for _ in range(nt):
        out[0] = pointer(address, like)[0]
        out[1] = pointer(address, like)[1]


def reduced(x):
    out = np.full(2, np.nan)
    _reduce(1, x, out)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_are_float64(rng, dtype):
    x = (rng.standard_normal(16 * 50) * np.float64(10) ** rng.uniform(-9, 9, 800)).astype(dtype)
    exact = x.astype(np.longdouble)
    total, squares = reduced(x)
    assert abs(total - exact.sum()) <= 1e-14 * np.abs(exact).sum()
    assert abs(squares - (exact**2).sum()) <= 1e-14 * (exact**2).sum()


def test_squares_of_float32_neither_overflow_nor_vanish():
    x = np.array([1e30, 1e-30] * 8, np.float32)
    assert reduced(x)[1] == pytest.approx(8 * float(np.float32(1e30)) ** 2, rel=1e-14)
    x[::2] = 0
    assert reduced(x)[1] == pytest.approx(8 * float(np.float32(1e-30)) ** 2, rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_maximum_is_found_in_every_lane(dtype):
    for place in range(16):
        x = np.full(16, -np.inf, dtype)
        x[place] = -3
        width = TARGET.lanes(x.itemsize)
        out = np.empty(16 // width, dtype)
        _maxima(1, x, out)
        assert np.array_equal(out, x.reshape(-1, width).max(axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_address_leads_to_the_array(dtype):
    x, out = np.array([2.5, -7.0], dtype), np.zeros(2, dtype)
    _first_by_address(1, x.ctypes.data, np.empty(0, dtype), out)
    assert np.array_equal(out, x)
