"""Clipping follows torch's formula, in place or as a factor."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from numba_lstm import nn, optim

SHAPES = [(1,), (7,), (70,), (129, 3), (130, 257)]


def with_gradients(rng, dtype=np.float32, scale=1.0):
    params = [nn.Parameter(np.zeros(shape, dtype)) for shape in SHAPES]
    for p in params:
        p.grad = rng.standard_normal(p.shape) * scale
    return params


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("max_norm", [0.0, 0.1, 50.0, 1e4, math.inf])
def test_clipping_equals_torch(rng, max_norm, dtype, tolerance):
    torch = pytest.importorskip("torch")
    ours = with_gradients(rng, dtype)
    theirs = [torch.nn.Parameter(torch.zeros(p.shape)) for p in ours]
    for p, q in zip(ours, theirs):
        q.data = q.data.to(torch.tensor(p.grad).dtype)
        q.grad = torch.tensor(p.grad)
    norm = optim.clip_grad_norm_(ours, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
    assert norm == pytest.approx(expected, rel=tolerance)
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=2 * tolerance, atol=0)


def test_the_norm_is_exact_where_float32_would_overflow_or_vanish():
    p = nn.Parameter(np.zeros(100, np.float32))
    for size in (1e30, 1e-30):
        p.grad = np.full(100, size)
        assert optim.grad_norm(p) == pytest.approx(10 * size, rel=1e-6)


def test_both_dtypes_make_one_norm():
    single, double = nn.Parameter(np.zeros(1, np.float32)), nn.Parameter(np.zeros(1))
    single.grad, double.grad = [3.0], [4.0]
    assert optim.clip_grad_norm_([single, double], 1.0) == 5.0
    assert single.grad[0] == pytest.approx(0.6, rel=1e-6)
    assert double.grad[0] == pytest.approx(0.8, rel=1e-6)


def test_missing_and_frozen_gradients_do_not_count_and_a_shared_one_counts_once(rng):
    params = with_gradients(rng)
    norm = optim.grad_norm(params)
    frozen, without = nn.Parameter(np.zeros(3)), nn.Parameter(np.zeros(3))
    frozen.grad = np.ones(3)
    frozen.requires_grad = False
    assert optim.grad_norm([*params, frozen, without, params[0]]) == norm
    optim.clip_grad_norm_([*params, frozen, params[2]], norm / 2)
    assert optim.grad_norm(params) == pytest.approx(norm / 2, rel=1e-6)
    assert np.array_equal(frozen.grad, np.ones(3))


def test_one_parameter_and_no_gradient_at_all():
    p = nn.Parameter(np.zeros(3))
    assert optim.clip_grad_norm_([p], 1.0) == 0.0
    assert optim.clip_grad_norm_([], 1.0) == 0.0
    p.grad = [0.0, 3.0, 4.0]
    assert optim.clip_grad_norm_(p, 1.0) == 5.0


def test_gradients_within_the_bound_keep_every_bit(rng):
    params = with_gradients(rng)
    before = [p.grad.copy() for p in params]
    optim.clip_grad_norm_(params, 1e6)
    assert all(np.array_equal(p.grad, g) for p, g in zip(params, before))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_is_an_error_if_asked_for(rng, bad):
    params = with_gradients(rng)
    params[3].grad[100, 2] = bad
    before = [p.grad.copy() for p in params]
    with pytest.raises(RuntimeError, match=r"parameters: .*finite norm, got"):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert all(np.array_equal(p.grad, g, equal_nan=True) for p, g in zip(params, before))
    norm = optim.clip_grad_norm_(params, 1.0)
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
    if math.isnan(bad):
        assert all(np.isnan(p.grad).all() for p in params)
    else:
        assert not params[0].grad.any() and np.isnan(params[3].grad[100, 2])


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_within_the_step_equals_clipping_before_it(rng, max_norm):
    one = with_gradients(rng)
    two = copy.deepcopy(one)
    norm = optim.grad_norm(one)
    optim.Adam(one).step(grad_scale=optim.clip_scale(norm, max_norm))
    assert optim.clip_grad_norm_(two, max_norm) == norm
    optim.Adam(two).step()
    assert all(np.array_equal(p.numpy(), q.numpy()) for p, q in zip(one, two))


def test_the_factor_is_torchs_and_nan_passes_through():
    assert optim.clip_scale(3.0, 1.5) == 1.5 / (3.0 + 1e-6)
    assert optim.clip_scale(0.0, 1.5) == 1.0
    assert optim.clip_scale(math.inf, 1.5) == 0.0
    assert math.isnan(optim.clip_scale(math.nan, 1.5))


@pytest.mark.parametrize(
    "parameters, max_norm, error, message",
    [
        (None, 1.0, TypeError, "parameters: expected an iterable of Parameter, got NoneType"),
        ([np.zeros(3)], 1.0, TypeError, "parameters: expected Parameter, got ndarray"),
        ([], -1.0, ValueError, "max_norm: expected a number of at least 0, got -1"),
        ([], math.nan, ValueError, "max_norm: .* got nan"),
        ([], "1", TypeError, "max_norm: expected a number, got str"),
        ([], True, TypeError, "max_norm: expected a number, got bool"),
    ],
)
def test_bad_arguments_are_refused_by_name(parameters, max_norm, error, message):
    with pytest.raises(error, match=message):
        optim.clip_grad_norm_(parameters, max_norm)


def test_a_refused_bound_changes_no_gradient(rng):
    params = with_gradients(rng)
    before = [p.grad.copy() for p in params]
    with pytest.raises(ValueError, match="max_norm"):
        optim.clip_grad_norm_(params, -1.0)
    assert all(np.array_equal(p.grad, g) for p, g in zip(params, before))
