"""Softmax is torch's, and its gradient is right."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn, testing


@pytest.mark.parametrize("dim", [-1, 0, 1])
def test_values_and_gradients_are_torchs(rng, dim):
    torch = pytest.importorskip("torch")
    module, theirs = nn.Softmax(dim), torch.nn.Softmax(dim)
    assert repr(module) == repr(theirs)
    for dtype, tolerance in (("f8", 1e-14), ("f4", 1e-6)):
        x, dy = (5 * rng.standard_normal((2, 4, 3, 5))).astype(dtype)
        x[0, 0, 0], x[1, 0, 0] = -np.inf, 300
        x_torch = torch.from_numpy(x).requires_grad_()
        y_torch = theirs(x_torch)
        y_torch.backward(torch.from_numpy(dy))
        y, pullback = module.vjp(x)
        assert y.dtype == np.dtype(dtype) and np.array_equal(module(x), y)
        np.testing.assert_allclose(y, y_torch.detach().numpy(), rtol=10 * tolerance)
        np.testing.assert_allclose(pullback(dy), x_torch.grad.numpy(), atol=10 * tolerance)


def test_the_gradient_is_that_of_differences(rng):
    testing.gradcheck(nn.Softmax(0), rng.standard_normal((3, 4)))


def test_writing_into_y_changes_no_gradient(rng):
    x, dy = rng.standard_normal((2, 3, 4))
    expected = nn.Softmax().vjp(x)[1](dy)
    y, pullback = nn.Softmax().vjp(x)
    y[...] = 7
    assert np.array_equal(pullback(dy), expected)


def test_a_whole_axis_of_minus_infinity_is_nan_and_an_empty_array_is_empty():
    assert np.isnan(nn.Softmax()(np.full((1, 3), -np.inf))).all()
    assert nn.Softmax()(np.ones((0, 3))).shape == (0, 3)
    assert nn.Softmax()(np.ones((3, 0))).shape == (3, 0)


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=r"^dim: expected an integer"):
        nn.Softmax(None)
    for x in (1.0, [1.0]):
        with pytest.raises(ValueError, match=r"^x: expected an axis -2, got shape"):
            nn.Softmax(-2)(x)
    _, pullback = nn.Softmax().vjp([1.0, 2.0])
    with pytest.raises(ValueError, match=r"^dy: expected shape \(2,\), got \(3,\)"):
        pullback([1.0, 2.0, 3.0])
