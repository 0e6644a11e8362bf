"""Every item is updated once, by whichever thread, and with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.kernels import optim

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
SIZES = [
    [1],
    [5, 3, 129, 1, 64],
    [3 * optim.BLOCK + 17, 2, optim.BLOCK, 40],
    [2, 0, 7],
]


def table(*columns):
    return np.array([(a[0].size, *(x.ctypes.data for x in a)) for a in zip(*columns)], np.int64)


def random_arrays(rng, sizes, dtype):
    return [rng.standard_normal(size).astype(dtype) for size in sizes]


def copies(arrays):
    return [array.copy() for array in arrays]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_updates_are_the_same_for_any_number_of_threads(rng, sizes, dtype):
    p, g, m = (random_arrays(rng, sizes, dtype) for _ in range(3))
    v = [np.abs(array) for array in random_arrays(rng, sizes, dtype)]
    like = np.empty(0, dtype)
    adam = np.tile([0.7, 0.1, 0.9, 0.9, 0.1, 0.99, 0.01, 2.0, 1e-8, 0.3], (len(sizes), 1))
    sgd = np.tile([0.7, 0.1, 0.3, 0.9, 0.5, 0.0], (len(sizes), 1))
    sgd[::2, 5] = 0.9
    results = []
    for nt in (1, 2, 3):
        a, b, c = copies(p), copies(m), copies(v)
        optim.adam(nt, table(a, g, b, c), adam, like)
        d, e = copies(p), copies(m)
        optim.sgd(nt, table(d, g, e), sgd, like)
        results.append([*a, *b, *c, *d, *e])
    assert same(results[0], results[1]) and same(results[0], results[2])
    # Each item was updated, and none twice.
    for i in range(len(sizes)):
        expected = 0.9 * m[i] + 0.1 * (0.7 * g[i] + 0.1 * p[i])
        np.testing.assert_allclose(results[0][len(sizes) + i], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_norms_are_the_same_for_any_number_of_threads(rng, sizes, dtype):
    g = random_arrays(rng, sizes, dtype)
    blocks = sum(-(-size // optim.BLOCK) for size in sizes)
    results = []
    for nt in (1, 2, 3):
        sums = np.full(blocks, np.nan)
        optim.squared_norms(nt, table(g), sums, np.empty(0, dtype))
        results.append(sums)
    assert same([results[0]] * 2, results[1:])
    exact = sum((a.astype(np.longdouble) ** 2).sum() for a in g)
    assert results[0].sum() == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_scaling_reaches_every_item_once(rng, sizes, dtype):
    g = random_arrays(rng, sizes, dtype)
    for nt in (1, 2, 3):
        scaled = copies(g)
        optim.scale(nt, table(scaled), 0.3, np.empty(0, dtype))
        assert same(scaled, [a * dtype.type(0.3) for a in g])


@pytest.mark.parametrize("nt", [1, 2, 3])
def test_denormals_outside_are_as_they_were(rng, nt):
    g = random_arrays(rng, [64, 64], np.float32)
    optim.scale(nt, table(g), 1e-30, np.empty(0, np.float32))
    assert np.multiply(np.full(40, 1e-39, np.float32), np.float32(0.5)).min() > 0
