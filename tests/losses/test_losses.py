"""What all losses have in common: inputs are left alone, dtypes, a float, the same to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from losses_tool import PAIRS

from numba_lstm import losses


def call(function, x, targets, **options):
    if function is losses.cross_entropy:
        targets = (np.asarray(targets) > 0.5).any(axis=-1).astype(np.int64)
    return function(x, targets, **options)


ALL = [losses.cross_entropy, *PAIRS]


@pytest.mark.parametrize("function", ALL)
def test_inputs_are_not_written_and_results_are_new(function, rng):
    x, targets = rng.standard_normal((6, 7)), rng.random((6, 7))
    x_before, targets_before = x.copy(), targets.copy()
    _, gradient = call(function, x, targets)
    assert np.array_equal(x, x_before) and np.array_equal(targets, targets_before)
    _, again = call(function, x, targets)
    assert not np.shares_memory(gradient, x) and not np.shares_memory(gradient, again)
    x.flags.writeable = targets.flags.writeable = False
    assert np.array_equal(call(function, x, targets)[1], gradient)


@pytest.mark.parametrize("function", ALL)
def test_any_real_dtype_and_layout_is_cast(function, rng):
    x, targets = rng.integers(-3, 4, (6, 7)), rng.random((6, 7)).astype(np.float32)
    loss, gradient = call(function, x.astype(np.float32), targets)
    for form in (x, x.astype("f2"), x.astype(">f4"), np.asfortranarray(x.astype("f4"))):
        same_loss, same_gradient = call(function, form, targets)
        assert same_loss == loss
        assert same_gradient.dtype == np.float32
        assert np.array_equal(same_gradient, gradient)
    wide_loss, wide_gradient = call(function, x.tolist(), targets.tolist())
    assert wide_loss == pytest.approx(loss, rel=1e-6)
    assert call(function, x.astype(">f8"), targets)[1].dtype == np.float64
    assert wide_gradient.shape == (6, 7)


@pytest.mark.parametrize("function", ALL)
def test_without_gradient_the_loss_is_the_same_to_the_bit(function, rng):
    for rows in (3, 5000):  # on one thread and on several
        x, targets = rng.standard_normal((rows, 65)).astype(np.float32), rng.random((rows, 65))
        assert call(function, x, targets, with_gradient=False) == (
            call(function, x, targets)[0],
            None,
        )


@pytest.mark.parametrize("function", ALL)
def test_the_loss_is_a_python_float(function):
    assert type(call(function, np.zeros((2, 3), np.float32), np.ones((2, 3)))[0]) is float
