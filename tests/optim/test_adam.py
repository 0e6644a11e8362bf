"""Adam and AdamW have torch's defaults and numbers."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from numba_lstm import nn, optim

SHAPES = [(1,), (7,), (70,), (127,), (129, 3), (33, 65)]
OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3},
    {"betas": (0.0, 0.0)},
    {"lr": 0.0},
    {"weight_decay": 0.0},
]


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_twenty_steps_equal_torch(rng, name, options, dtype, tolerance):
    torch = pytest.importorskip("torch")
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    ours = [nn.Parameter(value) for value in start]
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in start]
    one = getattr(optim, name)(ours, **options)
    two = getattr(torch.optim, name)(theirs, **options)
    for step in range(20):
        for p, q in zip(ours, theirs):
            p.grad = (rng.standard_normal(p.shape) * 10.0 ** rng.uniform(-6, 2)).astype(dtype)
            q.grad = torch.tensor(p.grad)
            if step == 4 and p.size == 70:  # step counts may differ between parameters
                p.grad = q.grad = None
        one.step()
        two.step()
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)
        for name in ("exp_avg", "exp_avg_sq"):
            expected = two.state[q][name].numpy()
            found = one.state[p][name]
            assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_defaults_are_those_of_torch(name):
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    ours = inspect.signature(getattr(optim, name)).parameters
    for option in list(ours)[1:]:
        assert ours[option].default == theirs[option].default, option


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vanishing_gradients_move_parameters_as_with_torch(dtype):
    # Squares below the least normal number are flushed; next to eps they would not be seen.
    torch = pytest.importorskip("torch")
    scale = np.finfo(dtype).tiny ** 0.5
    gradient = np.array([scale * 0.1, scale, scale * 10, np.finfo(dtype).tiny, 0.0], dtype)
    p = nn.Parameter(np.zeros(5, dtype))
    q = torch.nn.Parameter(torch.zeros(5, dtype=torch.tensor(gradient).dtype))
    one, two = optim.Adam([p], lr=1.0), torch.optim.Adam([q], lr=1.0)
    for _ in range(5):
        p.grad, q.grad = gradient, torch.tensor(gradient)
        one.step()
        two.step()
    np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-6, atol=1e-20)


def test_an_infinite_second_moment_stops_a_weight_as_with_torch():
    p = nn.Parameter(np.ones(3, np.float32))
    p.grad = np.array([1e30, 1.0, 0.0])  # its square is beyond float32
    optim.Adam([p], lr=0.5).step()
    np.testing.assert_allclose(p.numpy(), [1.0, 0.5, 1.0], rtol=1e-6)


def test_nan_gradients_reach_the_parameter():
    p = nn.Parameter(np.ones(20, np.float32))
    gradient = np.ones(20)
    gradient[17] = np.nan
    p.grad = gradient
    optim.Adam([p]).step()
    assert np.flatnonzero(np.isnan(p.numpy())).tolist() == [17]


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"lr": -1.0}, ValueError, "lr: expected a finite number of at least 0, got -1"),
        ({"lr": math.nan}, ValueError, "lr: expected a finite number of at least 0, got nan"),
        ({"lr": None}, TypeError, "lr: expected a number, got NoneType"),
        ({"lr": True}, TypeError, "lr: expected a number, got bool"),
        ({"betas": (1.0, 0.9)}, ValueError, "betas: .*from 0 to below 1, got 1"),
        ({"betas": (0.9, -0.1)}, ValueError, "betas: .*from 0 to below 1, got -0.1"),
        ({"betas": 0.9}, TypeError, "betas: expected two numbers"),
        ({"betas": (0.9,)}, TypeError, "betas: expected two numbers"),
        ({"eps": -1e-8}, ValueError, "eps: expected"),
        ({"weight_decay": -1}, ValueError, "weight_decay: expected"),
    ],
)
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_bad_options_are_refused_by_name(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind([nn.Parameter(np.zeros(3))], **options)
