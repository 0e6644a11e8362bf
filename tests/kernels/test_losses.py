"""Each part of a loss is computed once, by whichever thread, and with the same bits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numba_lstm.kernels import losses

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, classes", [(1, 65), (2, 3), (37, 65), (11, 1000)])
def test_cross_entropy_is_the_same_for_any_number_of_threads(rng, rows, classes, dtype):
    x = rng.standard_normal((rows, classes)).astype(dtype)
    targets = rng.integers(-1, classes, rows)
    one = losses.ones[dtype]
    results = []
    for nt in (1, 2, 3):
        gradient, row_losses = np.full_like(x, np.nan), np.full(rows, np.nan)
        losses.cross_entropy(nt, x, targets, 1 / rows, True, gradient, row_losses, one)
        scratch, again = np.full((nt, classes), np.nan, dtype), np.full(rows, np.nan)
        losses.cross_entropy(nt, x, targets, 1 / rows, False, scratch, again, one)
        assert np.array_equal(row_losses, again)
        results.append((gradient, row_losses))
    for gradient, row_losses in results:
        assert np.isfinite(gradient).all() and np.isfinite(row_losses).all()
        assert np.array_equal(gradient, results[0][0])
        assert np.array_equal(row_losses, results[0][1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 100, losses.BLOCK, 3 * losses.BLOCK + 5])
def test_losses_of_pairs_are_the_same_for_any_number_of_threads(rng, size, dtype):
    x, targets = rng.standard_normal(size).astype(dtype), rng.random(size).astype(dtype)
    blocks = -(-size // losses.BLOCK)
    for driver in (losses.mse, losses.binary_cross_entropy):
        results = []
        for nt in (1, 2, 3):
            gradient, block_losses = np.full_like(x, np.nan), np.full(blocks, np.nan)
            one = losses.ones[dtype]
            driver(nt, x, targets, 1 / size, gradient, block_losses, one)
            results.append((gradient, block_losses))
        for gradient, block_losses in results:
            assert np.isfinite(gradient).all() and np.isfinite(block_losses).all()
            assert np.array_equal(gradient, results[0][0])
            assert np.array_equal(block_losses, results[0][1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_is_within_4_ulp(rng, dtype):
    # With a target of 0 the loss of one item is log(1 + exp(x)), each its own block.
    x = np.concatenate([rng.uniform(-80, 80, 300), rng.uniform(-1, 1, 300)]).astype(dtype)
    exact = np.logaddexp(0, x.astype(np.longdouble))
    gradient, loss = np.empty(1, dtype), np.empty(1)
    for item, expected in zip(x, exact):
        losses.binary_cross_entropy(
            1, np.array([item]), np.zeros(1, dtype), 1.0, gradient, loss, losses.ones[dtype]
        )
        assert abs(loss[0] - expected) <= 4 * np.spacing(dtype.type(expected))
        sigmoid = 1 / (1 + np.exp(-item.astype(np.longdouble)))
        assert abs(gradient[0] - sigmoid) <= 4 * np.spacing(dtype.type(sigmoid))


@pytest.mark.parametrize("nt", [1, 2, 3])
def test_denormals_outside_are_as_they_were(nt):
    x, dtype = np.zeros((64, 65), np.float32), np.dtype(np.float32)
    targets, row_losses = np.zeros(64, np.int64), np.empty(64)
    losses.cross_entropy(nt, x, targets, 1.0, True, x.copy(), row_losses, losses.ones[dtype])
    assert np.multiply(np.full(40, 1e-39, np.float32), np.float32(0.5)).min() > 0


def test_the_exponentials_of_a_softmax_are_within_4_ulp(rng):
    # A row of (0, x): the softmax of x is e/(1 + e), with e and not its sum carrying the error.
    x = -rng.uniform(0, 80, 2000).astype(np.float32)
    rows = np.stack([np.zeros_like(x), x], axis=1)
    gradient, row_losses = np.empty_like(rows), np.empty(2000)
    losses.cross_entropy(
        1,
        rows,
        np.zeros(2000, np.int64),
        1.0,
        True,
        gradient,
        row_losses,
        losses.ones[rows.dtype],
    )
    e = np.exp(x.astype(np.float64))
    share = e / (1 + e)
    error = np.abs(gradient[:, 1] - share) / np.spacing(share.astype(np.float32))
    assert error.max() <= 4
    assert math.isclose(row_losses.sum(), np.log1p(e).sum(), rel_tol=1e-7)
