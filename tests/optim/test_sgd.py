"""SGD has torch's defaults and numbers."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from numba_lstm import nn, optim

SHAPES = [(1,), (7,), (70,), (127,), (129, 3), (33, 65)]
OPTIONS = [
    {},
    {"lr": 0.1, "weight_decay": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"lr": 0.01, "momentum": 1.5, "dampening": -0.5},
]


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("options", OPTIONS)
def test_twenty_steps_equal_torch(rng, options, dtype, tolerance):
    torch = pytest.importorskip("torch")
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    ours = [nn.Parameter(value) for value in start]
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in start]
    one, two = optim.SGD(ours, **options), torch.optim.SGD(theirs, **options)
    for step in range(20):
        for p, q in zip(ours, theirs):
            p.grad = rng.standard_normal(p.shape).astype(dtype)
            q.grad = torch.tensor(p.grad)
            if step < 2 and p.size == 70:  # a first step that comes later than the others'
                p.grad = q.grad = None
        one.step()
        two.step()
    for p, q in zip(ours, theirs):
        expected = q.detach().numpy()
        assert np.abs(p.numpy() - expected).max() <= tolerance * max(1, np.abs(expected).max())


def test_defaults_are_those_of_torch():
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(torch.optim.SGD).parameters
    ours = inspect.signature(optim.SGD).parameters
    for option in list(ours)[1:]:
        assert ours[option].default == theirs[option].default, option


def test_without_momentum_there_is_no_buffer():
    p = nn.Parameter(np.ones(3, np.float32))
    p.grad = np.ones(3)
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.step()
    assert np.array_equal(p.numpy(), np.full(3, 0.5, np.float32))
    assert optimizer.state[p] == {"step": 1}


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"lr": -1.0}, ValueError, "lr: expected a finite number of at least 0, got -1"),
        ({"lr": math.inf}, ValueError, "lr: expected a finite number"),
        ({"lr": "x"}, TypeError, "lr: expected a number, got str"),
        ({"momentum": -0.1}, ValueError, "momentum: expected"),
        ({"dampening": math.nan}, ValueError, "dampening: expected"),
        ({"weight_decay": -1}, ValueError, "weight_decay: expected"),
        ({"nesterov": True}, ValueError, "nesterov: expected a momentum above 0"),
        (
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            ValueError,
            r"nesterov: .*dampening of 0, got momentum 0.9 and dampening 0.1",
        ),
        ({"nesterov": 1}, TypeError, "nesterov: expected True or False"),
    ],
)
def test_bad_options_are_refused_by_name(options, error, message):
    with pytest.raises(error, match=message):
        optim.SGD([nn.Parameter(np.zeros(3))], **options)
