"""exp, tanh and sigmoid hold the error bounds that the documentation states."""

import numpy as np
import pytest

from numba_lstm import simd
from numba_lstm.jit import driver
from numba_lstm.kernels import activations


@driver
def _run(crew, nt, which, x, y):
    for _ in range(nt):
        for i in range(0, x.size, simd.lanes(x)):
            v = simd.load(simd.at(x, (i,)), 0)
            if which == 0:
                v = activations.exp(v)
            elif which == 1:
                v = activations.tanh(v)
            else:
                v = activations.sigmoid(v)
            simd.store(simd.at(y, (i,)), 0, v)


def _apply(which, x):
    padded = np.zeros(-(-x.size // 16) * 16, x.dtype)
    padded[: x.size] = x
    y = np.empty_like(padded)
    _run(1, which, padded, y)
    return y[: x.size]


def _all_magnitudes(dtype):
    rng = np.random.default_rng(0)
    powers = np.logspace(-37, 37, 200_000)
    x = np.concatenate(
        [powers, -powers, rng.uniform(-20, 20, 400_000), rng.uniform(-1, 1, 100_000)]
    )
    return np.concatenate([x, [0.0, -0.0, 1e-45, 3e38, -3e38]]).astype(dtype)


def _longdouble_reference(which, x):
    with np.errstate(all="ignore"):
        x = x.astype(np.longdouble)
        if which == 0:
            return np.exp(x)
        if which == 1:
            return np.tanh(x)
        return 1 / (1 + np.exp(-x))


def _ulp(y, exact, dtype):
    with np.errstate(all="ignore"):
        spacing = np.spacing(np.abs(exact).astype(dtype)).astype(np.longdouble)
        return np.abs(y.astype(np.longdouble) - exact) / spacing


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 4.0), (np.float64, 4.0)])
def test_tanh_is_within_4_ulp_over_all_magnitudes(dtype, bound):
    x = _all_magnitudes(dtype)
    y = _apply(1, x)
    tiny = np.abs(x) < np.finfo(dtype).tiny  # flushed to zero inside kernels, not counted in ulp
    assert np.abs(y[tiny]).max() <= np.finfo(dtype).tiny
    assert _ulp(y, _longdouble_reference(1, x), dtype)[~tiny].max() <= bound
    assert np.abs(y).max() == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_within_4_ulp_or_a_tiny_absolute_error(dtype):
    x = _all_magnitudes(dtype)
    y = _apply(2, x)
    exact = _longdouble_reference(2, x)
    good = (_ulp(y, exact, dtype) <= 4) | (np.abs(y - exact) <= 4 * np.finfo(dtype).tiny)
    assert good.all()
    assert y.min() >= 0 and y.max() == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_is_within_4_ulp_and_saturates(dtype):
    x = _all_magnitudes(dtype)
    y = _apply(0, x)
    low, high = (-87.3, 88.37) if dtype == np.float32 else (-708.3, 709.4)
    inside = (x > low) & (x < high)
    assert _ulp(y, _longdouble_reference(0, x), dtype)[inside].max() <= 4
    assert (y[x < low] == 0).all()
    assert np.isinf(y[x > high]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_give_limits_and_nan_stays_nan(dtype):
    x = np.array([np.inf, -np.inf, np.nan, -np.nan], dtype)
    np.testing.assert_array_equal(_apply(0, x), [np.inf, 0, np.nan, np.nan])
    np.testing.assert_array_equal(_apply(1, x), [1, -1, np.nan, np.nan])
    y = _apply(2, x)
    np.testing.assert_array_equal(y[[0, 2, 3]], [1, np.nan, np.nan])
    assert 0 <= y[1] < np.finfo(dtype).tiny
