"""Whoever has NumPy raise at every rounding to zero or infinity still gets losses and steps.

Inside, numbers round to zero and to infinity where that is what they are to be.
"""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses, nn, optim

TINY = [np.float32(1e-40), np.float32(1e-45), np.float64(1e-50), np.float64(1e-320)]


@pytest.fixture(autouse=True)
def all_raise():
    with np.errstate(all="raise"):
        yield


@pytest.mark.parametrize("value", [*TINY, np.float32(3e38), np.float64(1e300)])
def test_losses_of_the_smallest_and_greatest_numbers(value):
    x = np.full((3, 4), value)
    zeros = np.zeros_like(x)
    assert losses.mse(x, zeros)[0] == pytest.approx(float(value) * float(value))
    assert losses.cross_entropy(x, [0, 1, 2])[0] == pytest.approx(np.log(4.0))
    loss, gradient = losses.binary_cross_entropy_with_logits(x, zeros)
    assert loss == pytest.approx(max(float(value), np.log(2.0)))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW])
@pytest.mark.parametrize("value", [1e-45, 1e-40, 3e38])
def test_steps_by_the_smallest_and_greatest_gradients(kind, value):
    layer = nn.Linear(3, 2, seed=0)
    before = layer.state_dict()
    optimizer = kind(layer.parameters(), lr=1e-3, weight_decay=1e-30)
    for _ in range(2):
        for p in layer.parameters():
            p.grad = np.full(p.shape, value, np.float32)
        norm = optim.grad_norm(layer.parameters())
        assert norm == pytest.approx(np.sqrt(8.0) * float(np.float32(value)))
        optimizer.step(grad_scale=optim.clip_scale(norm, 1.0))
        assert optim.clip_grad_norm_(layer.parameters(), 1e-3) == norm
    optimizer.load_state_dict(optimizer.state_dict())
    for name, array in layer.state_dict().items():
        assert np.isfinite(array).all()
        assert np.abs(array - before[name]).max() <= 3e-3


@pytest.mark.parametrize("value", TINY)
def test_inputs_too_small_for_the_working_type(value):
    layer = nn.Linear(3, 2, bias=False, seed=0)
    y, pullback = layer.vjp(np.full((4, 3), value))
    assert np.abs(y).max() <= 1e-38
    assert np.isfinite(pullback(np.full((4, 2), value))).all()
