"""What may happen to parameters: shared between places, written before a pullback is called."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, draw, given

from numba_lstm import nn


def slope(module, x, towards, step=1e-6):
    """The derivative of y's sum along `towards`, by central differences."""
    up, down = (module(x + sign * step * towards)[0].sum() for sign in (1, -1))
    return (up - down) / (2 * step)


@pytest.mark.parametrize("tied", ["ih and hh", "of two layers", "hh and the next ih"])
@pytest.mark.parametrize("kind", MODULES)
def test_a_weight_in_two_places_gets_both_gradients(rng, kind, tied):
    hidden = 9 if kind == "lstm-projected" else 8
    module = MODULES[kind](6 if kind == "lstm-projected" else 8, hidden, 2, dtype="f8", seed=0)
    if tied == "ih and hh":
        module.weight_hh_l0 = module.weight_ih_l0
    elif tied == "of two layers":
        module.weight_hh_l1 = module.weight_hh_l0
    else:
        module.weight_ih_l1 = module.weight_hh_l0
    x = rng.standard_normal((5, 3, module.input_size))
    for _ in range(2):  # packed forms are made anew, then found again
        module.zero_grad()
        (y, _), pullback = module.vjp(x)
        dx, _ = pullback(np.ones_like(y))
        towards = rng.standard_normal(x.shape)
        assert np.isclose((dx * towards).sum(), slope(module, x, towards), rtol=1e-6)
        for p in module.parameters():
            direction = rng.standard_normal(p.shape)
            values, sums = p.numpy().copy(), []
            for sign in (1, -1):
                p[...] = values + sign * 1e-6 * direction
                sums.append(module(x)[0].sum())
            p[...] = values
            assert np.isclose((p.grad * direction).sum(), (sums[0] - sums[1]) / 2e-6, rtol=1e-5)


def test_a_linear_may_share_a_recurrent_weight(rng):
    linear, lstm = nn.Linear(5, 20, dtype="f8", seed=0), nn.LSTM(5, 5, dtype="f8", seed=0)
    linear.weight = lstm.weight_hh_l0
    x = rng.standard_normal((4, 3, 5))
    (y, _), back = lstm.vjp(x)
    back(np.ones_like(y))
    z, back = linear.vjp(x)
    dx = back(np.ones_like(z))
    assert np.allclose(dx, np.ones_like(z) @ linear.weight.numpy())
    linear.weight[...] = 0.5
    (y, _), back = lstm.vjp(x)
    first, _ = back(np.ones_like(y))
    fresh = nn.LSTM(5, 5, dtype="f8")
    fresh.load_state_dict(lstm.state_dict())
    (y, _), back = fresh.vjp(x)
    assert np.array_equal(back(np.ones_like(y))[0], first)


@pytest.mark.parametrize("kind", [*MODULES, "cell", "linear", "tokens"])
def test_a_pullback_after_a_write_is_refused_and_adds_nothing(rng, kind):
    if kind in MODULES:
        module = MODULES[kind](4, 6, 2, seed=0)
        case = draw(rng, module, 3, 2)
        _, pullback = module.vjp(case.x, given(case.states))
        arguments = (case.dy,)
    elif kind == "cell":
        module = nn.GRUCell(4, 6, seed=0)
        h, pullback = module.vjp(np.ones((2, 4)))
        arguments = (h,)
    elif kind == "linear":
        module = nn.Linear(4, 6, seed=0)
        y, pullback = module.vjp(np.ones((2, 4)))
        arguments = (y,)
    else:
        module = nn.LSTM(4, 6, seed=0)
        (y, _), pullback = module.vjp_tokens(nn.Embedding(3, 4, seed=0), np.ones((2, 2), int))
        arguments = (y,)
    weight = next(module.parameters())
    weight[...] = weight.numpy() * 2
    with pytest.raises(RuntimeError, match="was written between vjp and its pullback"):
        pullback(*arguments)
    assert all(p.grad is None for p in module.parameters())


def test_a_write_to_another_parameter_is_nobodys_concern():
    linear, other = nn.Linear(4, 6, seed=0), nn.Linear(4, 6, seed=0)
    y, pullback = linear.vjp(np.ones((2, 4)))
    other.weight[...] = 0
    assert pullback(y).shape == (2, 4)
