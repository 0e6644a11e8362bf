from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp, complex_gradient

from numba_lstm import nn
from numba_lstm.reference import activations as reference

KINDS = ["ReLU", "Tanh", "Sigmoid", "Identity"]
REFERENCES = {
    "ReLU": reference.relu,
    "Tanh": np.tanh,
    "Sigmoid": reference.sigmoid,
    "Identity": lambda z: z,
}
SHAPES = [(1,), (3, 7), (2, 3, 5), (0, 4)]


@pytest.mark.parametrize("name", KINDS)
def test_values_and_gradients_are_the_references(rng, name):
    module, reference = getattr(nn, name)(), REFERENCES[name]
    for shape in SHAPES:
        for dtype, tolerance in (("f8", 1e-14), ("f4", 1e-6)):
            x, dy = (3 * rng.standard_normal((2, *shape))).astype(dtype)
            y, pullback = module.vjp(x)
            dx = pullback(dy)
            wide = x.astype("f8")
            assert y.dtype == dx.dtype == np.dtype(dtype)
            assert np.array_equal(module(x), y)
            assert_close(y, reference(wide), tolerance)
            slope = complex_gradient(lambda z: reference(z).sum(), wide)
            # Absolute, as 1 - y² has few digits where y is nearly 1.
            np.testing.assert_allclose(dx, dy * slope, rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize("name", KINDS)
def test_values_gradients_and_repr_are_torchs(rng, name):
    torch = pytest.importorskip("torch")
    module, theirs = getattr(nn, name)(), getattr(torch.nn, name)()
    assert repr(module) == repr(theirs)
    for dtype, tolerance in (("f8", 1e-14), ("f4", 1e-6)):
        # Corners, saturation, infinities and NaN, too.
        ends = np.array([0.0, -0.0, 30, -30, 100, -100, 1e-30, np.inf, -np.inf, np.nan], dtype)
        x = np.concatenate([ends, rng.standard_normal(21).astype(dtype)])
        dy = rng.standard_normal(x.shape).astype(dtype)
        x_torch = torch.from_numpy(x).requires_grad_()
        y_torch = theirs(x_torch)
        y_torch.backward(torch.from_numpy(dy))
        y, pullback = module.vjp(x)
        np.testing.assert_allclose(y, y_torch.detach().numpy(), rtol=tolerance * 10)
        expected = x_torch.grad.numpy()
        np.testing.assert_allclose(pullback(dy), expected, rtol=tolerance * 10, atol=tolerance)


def test_relu_lets_no_infinite_cotangent_through_where_it_is_closed():
    _, pullback = nn.ReLU().vjp([-1.0, 0.0, 1.0])
    assert pullback(np.full(3, np.inf)).tolist() == [0.0, 0.0, np.inf]


@pytest.mark.parametrize("name", KINDS)
def test_gradients_equal_differences(rng, name):
    check_vjp(getattr(nn, name)(), rng.standard_normal((3, 5)) + 0.01, rng=rng)


@pytest.mark.parametrize("name", KINDS)
def test_memory_is_the_callers(rng, name):
    module = getattr(nn, name)()
    x = rng.standard_normal((3, 4))
    before = x.copy()
    y, pullback = module.vjp(x)
    expected = module.vjp(x)[1](np.ones((3, 4)))
    assert not np.shares_memory(y, x)
    y[...] = np.nan  # what the caller does to y changes nothing
    dy = np.ones((3, 4))
    dx = pullback(dy)
    assert np.array_equal(dx, expected) and not np.shares_memory(dx, dy)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name", KINDS)
def test_arguments_are_checked_by_name(name):
    module = getattr(nn, name)()
    with pytest.raises(TypeError, match=r"^x: expected real numbers"):
        module(np.ones(2, complex))
    y, pullback = module.vjp([1, 2])
    assert y.dtype == np.float32
    single, back = module.vjp(1.0)
    assert type(single) is type(back(1.0)) is np.ndarray and single.shape == ()
    with pytest.raises(ValueError, match=r"^dy: expected shape \(2,\), got \(3,\)"):
        pullback(np.ones(3))
    assert not pullback(None).any()
    with pytest.raises(RuntimeError, match="called already"):
        pullback(None)
