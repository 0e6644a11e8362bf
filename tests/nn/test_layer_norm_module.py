"""`nn.LayerNorm`; `test_layer_norm` holds the recurrent layers' own normalisation."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp

from numba_lstm import nn
from numba_lstm.reference.layer_norm import layer_norm_backward, layer_norm_forward

# Of x, and how many of its last dimensions are normalised: one row, odd sizes, none at all.
SINGLE = ((1, 1), 1)
OTHERS = [((1, 5), 1), ((7,), 1), ((3, 4, 9), 1), ((2, 3, 5), 2), ((3, 5), 2), ((0, 4), 1)]
TOLERANCES = {"f8": 1e-12, "f4": 2e-5}


def made(rng, shape, count, dtype, **options):
    module = nn.LayerNorm(shape[-count:], dtype=dtype, **options)
    for parameter in module.parameters():
        parameter[...] = rng.standard_normal(parameter.shape)
    x = 2 * rng.standard_normal(shape) + 1
    return module, x.astype(dtype), rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("shape, count", [SINGLE, *OTHERS])
def test_values_and_gradients_are_the_references(rng, shape, count, dtype):
    module, x, dy = made(rng, shape, count, dtype, eps=1e-3)
    size = int(np.prod(shape[-count:]))
    gain = module.weight.numpy().astype("f8").reshape(-1)
    z, saved = layer_norm_forward(x.astype("f8").reshape(-1, size), gain, 1e-3)
    dz, dgain = layer_norm_backward(saved, dy.astype("f8").reshape(-1, size))
    y, pullback = module.vjp(x)
    dx = pullback(dy)
    assert y.dtype == dx.dtype == np.dtype(dtype)
    assert np.array_equal(module(x), y)
    assert_close(y, (z + module.bias.numpy().reshape(-1)).reshape(shape), TOLERANCES[dtype])
    assert_close(dx, dz.reshape(shape), TOLERANCES[dtype])
    assert_close(module.weight.grad.reshape(-1), dgain, TOLERANCES[dtype])
    summed = dy.astype("f8").reshape(-1, size).sum(axis=0)
    assert_close(module.bias.grad.reshape(-1), summed, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}])
# Of a single element torch gives rounding errors, times 1/√eps, where the gradients are 0.
@pytest.mark.parametrize("shape, count", OTHERS)
def test_values_gradients_names_and_repr_are_torchs(rng, shape, count, options, dtype):
    torch = pytest.importorskip("torch")
    module, x, dy = made(rng, shape, count, dtype, **options)
    kind = {"f8": torch.float64, "f4": torch.float32}[dtype]
    theirs = torch.nn.LayerNorm(shape[-count:], **options, dtype=kind)
    if "bias=" in repr(theirs):  # as torch writes it since 2.13
        assert repr(module) == repr(theirs)
        assert repr(nn.LayerNorm(4)) == repr(torch.nn.LayerNorm(4))
    assert list(module.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in module.state_dict().items()})
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = theirs(x_torch)
    y_torch.backward(torch.from_numpy(dy))
    y, pullback = module.vjp(x)
    dx = pullback(dy)
    assert_close(y, y_torch.detach().numpy(), TOLERANCES[dtype])
    assert_close(dx, x_torch.grad.numpy(), TOLERANCES[dtype])
    for name, parameter in theirs.named_parameters():
        assert_close(getattr(module, name).grad, parameter.grad.numpy(), TOLERANCES[dtype])


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}])
def test_gradients_equal_differences(rng, options):
    module, x, _ = made(rng, (4, 3, 5), 2, "f8", **options)
    check_vjp(module, x, rng=rng)


def test_gradients_add_up_and_a_frozen_gain_gets_none(rng):
    module, x, dy = made(rng, (4, 5), 1, "f8")
    module.vjp(x)[1](dy)
    once, shift = module.weight.grad.copy(), module.bias.grad.copy()
    module.vjp(x)[1](dy)
    assert_close(module.weight.grad, 2 * once, 1e-15)
    assert_close(module.bias.grad, 2 * shift, 1e-15)
    module.zero_grad()
    module.weight.requires_grad = False
    module.vjp(x)[1](dy)
    assert module.weight.grad is None and module.bias.grad is not None


def test_a_gain_that_was_written_before_the_pullback_is_refused(rng):
    module, x, dy = made(rng, (4, 5), 1, "f4")
    _, pullback = module.vjp(x)
    module.weight[...] = 1
    with pytest.raises(RuntimeError, match="written between vjp and its pullback"):
        pullback(dy)
    assert module.bias.grad is None


def test_memory_is_the_callers(rng):
    module, x, dy = made(rng, (4, 5), 1, "f8")
    before, cotangent = x.copy(), dy.copy()
    y, pullback = module.vjp(x)
    expected = module.vjp(x)[1](dy)
    y[...] = np.nan
    assert np.array_equal(pullback(dy), expected)
    assert np.array_equal(x, before) and np.array_equal(dy, cotangent)


def test_arguments_are_checked_by_name():
    for arguments, error, message in [
        ((0,), ValueError, "normalized_shape: expected at least 1"),
        ((2.0,), TypeError, "normalized_shape: expected an integer"),
        (([],), ValueError, "normalized_shape: expected at least one size"),
        (([2, 0],), ValueError, r"normalized_shape\[1\]: expected at least 1"),
        ((2, 0.0), ValueError, "eps: expected a number above 0"),
        ((2, 1e-5, 1), TypeError, "elementwise_affine: expected True or False"),
        ((2, 1e-5, True, 0), TypeError, "bias: expected True or False"),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            nn.LayerNorm(*arguments)
    with pytest.raises(ValueError, match=r"^dtype: expected float32 or float64"):
        nn.LayerNorm(2, dtype=int)
    module = nn.LayerNorm((2, 3))
    for x in (np.ones(3), np.ones((4, 3, 2)), np.ones(())):
        with pytest.raises(ValueError, match=r"^x: expected shape \(…, 2, 3\), got"):
            module(x)
    with pytest.raises(ValueError, match=r"^dy: expected shape"):
        module.vjp(np.ones((2, 3)))[1](np.ones(3))
    module.weight = nn.Parameter(np.ones(3, "f4"))
    with pytest.raises(ValueError, match=r"^weight: expected shape"):
        module(np.ones((2, 3)))
