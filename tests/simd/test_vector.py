"""Vectors compute what NumPy computes, item by item, with scalars on either side."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.simd import (
    TARGET,
    at,
    exp2_int,
    fma,
    hsum,
    load,
    polynomial,
    round_even,
    store,
    vmax,
    vmin,
    where_gt,
    zeros_like,
)

DTYPES = [np.float32, np.float64]


@driver
def _arithmetic(crew, nt, x, y, z, s, out):
    """All operations on one vector; row k of out (rows, V) is the k-th."""
    for _ in range(nt):
        a, b, c = load(at(x, (0,)), 0), load(at(y, (0,)), 0), load(at(z, (0,)), 0)
        t = s[0]
        store(at(out, (0, 0)), 0, a + b)
        store(at(out, (1, 0)), 0, a - b)
        store(at(out, (2, 0)), 0, a * b)
        store(at(out, (3, 0)), 0, a / b)
        store(at(out, (4, 0)), 0, a - t)
        store(at(out, (5, 0)), 0, t - a)
        store(at(out, (6, 0)), 0, t / a)
        store(at(out, (7, 0)), 0, fma(a, b, c))
        store(at(out, (8, 0)), 0, fma(a, t, c))
        store(at(out, (9, 0)), 0, zeros_like(a))
        store(at(out, (10, 0)), 0, polynomial(a, (2.0, -3.0, 0.5)))
        store(at(out, (11, 0)), 0, t)  # a scalar fills a vector
        out[12, 0] = hsum(a)


@driver
def _choices(crew, nt, x, y, z, s, out):
    for _ in range(nt):
        a, b, c = load(at(x, (0,)), 0), load(at(y, (0,)), 0), load(at(z, (0,)), 0)
        t = s[0]
        store(at(out, (0, 0)), 0, vmin(a, b))
        store(at(out, (1, 0)), 0, vmax(a, b))
        store(at(out, (2, 0)), 0, vmin(a, t))
        store(at(out, (3, 0)), 0, vmax(a, t))
        store(at(out, (4, 0)), 0, where_gt(a, b, c, a))
        store(at(out, (5, 0)), 0, where_gt(a, t, c, t))


@driver
def _powers(crew, nt, x, out):
    for _ in range(nt):
        for i in range(x.shape[0]):
            a = load(at(x, (i, 0)), 0)
            store(at(out, (0, i, 0)), 0, round_even(a))
            store(at(out, (1, i, 0)), 0, exp2_int(round_even(a)))


def lanes(dtype):
    return TARGET.lanes(np.dtype(dtype).itemsize)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic_is_numpys(rng, dtype):
    v = lanes(dtype)
    x, y, z = rng.standard_normal((3, v)).astype(dtype)
    s = np.array([0.75], dtype)
    out = np.full((13, v), np.nan, dtype)
    _arithmetic(1, x, y, z, s, out)
    t = s[0]
    exact = [x + y, x - y, x * y, x / y, x - t, t - x, t / x]
    for row, expected in zip(out, exact):
        assert np.array_equal(row, expected)
    wide = [a.astype(np.longdouble) for a in (x, y, z)]
    for row, product in ((7, wide[0] * wide[1]), (8, wide[0] * np.longdouble(t))):
        expected = (product + wide[2]).astype(dtype)
        if TARGET.fma:  # rounded once
            assert np.array_equal(out[row], expected)
        else:
            np.testing.assert_allclose(out[row], expected, rtol=0, atol=np.finfo(dtype).eps * 8)
    assert not out[9].any()
    np.testing.assert_allclose(
        out[10], (2 * x - 3) * x + 0.5, rtol=0, atol=np.finfo(dtype).eps * 32
    )
    assert (out[11] == t).all()
    np.testing.assert_allclose(out[12, 0], x.sum(), rtol=0, atol=np.finfo(dtype).eps * 32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_choices_are_made_item_by_item_and_nan_stays(rng, dtype):
    v = lanes(dtype)
    x, y, z = rng.standard_normal((3, v)).astype(dtype)
    x[0] = np.nan
    y[1] = x[1]
    s = np.array([0.25], dtype)
    out = np.full((6, v), 7, dtype)
    _choices(1, x, y, z, s, out)
    t = s[0]
    assert np.isnan(out[:4, 0]).all()  # NaN in the first argument is kept
    rest = slice(1, None)
    expected = [np.minimum(x, y), np.maximum(x, y), np.minimum(x, t), np.maximum(x, t)]
    for row, value in zip(out, expected):
        assert np.array_equal(row[rest], value[rest])
    assert np.array_equal(out[4], np.where(x > y, z, x), equal_nan=True)
    assert np.array_equal(out[5], np.where(x > t, z, t))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_is_to_the_nearest_integer_and_powers_of_two_are_exact(dtype):
    v = lanes(dtype)
    least, most = (-126, 127) if dtype == np.float32 else (-1022, 1023)
    x = np.concatenate([np.arange(least, most + 1), [0.3, -0.3, 0.7, -0.7, 41.4999, -41.51]])
    x = np.resize(x, (-(-x.size // v), v)).astype(dtype)
    out = np.full((2, *x.shape), np.nan, dtype)
    _powers(1, x, out)
    assert np.array_equal(out[0], np.round(x))
    assert np.array_equal(out[1], np.ldexp(dtype(1), np.round(x).astype(int)))
