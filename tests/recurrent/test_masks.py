"""Resets and dropout with one mask a sequence: the reference's numbers with the same masks."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, assert_references, draw, given, ours, taken
from lstm_tool import assert_same_bits
from masks_tool import draw_masks, fix

from numba_lstm import nn
from numba_lstm.recurrent.masks import keep_masks

OPTIONS = ("inputs", "state", "recurrent", "zoneout", "reset", "lengths")


@pytest.mark.parametrize("wanted", [*((o,) for o in OPTIONS[:5]), OPTIONS])
@pytest.mark.parametrize("kind", MODULES)
def test_every_output_and_gradient_is_the_references(rng, monkeypatch, kind, wanted):
    for steps, batch, inputs, hidden in ((1, 2, 3, 5), (6, 7, 4, 33), (5, 13, 19, 70)):
        for dtype in ("f8", "f4"):
            module = MODULES[kind](
                inputs, hidden, 2, batch_first=hidden == 70, bidirectional=hidden != 5,
                recurrent_dropout=0.5, dtype=dtype, seed=0,
            )  # fmt: skip
            case = draw(rng, module, steps, batch, "lengths" in wanted)
            if "reset" in wanted:
                shape = case.x.shape[:2]
                case = case._replace(reset=rng.random(shape) < 0.3)
            masks = draw_masks(rng, module, case, wanted)
            fix(monkeypatch, module, case.lengths, masks)
            assert_references(module, case, masks)


@pytest.mark.parametrize("kind", MODULES)
def test_nothing_passes_a_reset(rng, kind):
    module = MODULES[kind](3, 20, 2, bidirectional=True, dtype="f8", seed=0)
    case = draw(rng, module, 9, 2)
    reset = np.zeros((9, 2), bool)
    reset[4] = True
    (y, _), back = module.vjp(case.x, given(case.states), None, reset)

    def only(direction):
        """The initial states of one direction, zeros for the other's."""
        keep = (np.arange(4) % 2 == direction)[:, None, None]
        return given([s * keep for s in case.states])

    # Each part is as it would be alone, with the initial states of the direction that starts in it.
    assert np.allclose(y[:4], module(case.x[:4], only(0))[0], atol=1e-13)
    assert np.allclose(y[4:], module(case.x[4:], only(1))[0], atol=1e-13)
    dy = np.zeros_like(y)
    dy[4:] = 1
    dx, dstate = back(dy)
    assert not dx[:4].any() and dx[4:].any()
    assert not any(d[::2].any() for d in taken(dstate)) and all(
        d[1::2].any() for d in taken(dstate)
    )


@pytest.mark.parametrize("name", ["input_dropout", "recurrent_dropout", "weight_dropout"])
@pytest.mark.parametrize("kind", MODULES)
def test_masks_are_drawn_in_training_only_and_by_the_seed(rng, kind, name):
    def make(**more):
        return MODULES[kind](6, 20, 2, seed=3, **more)

    plain, module, twin = make(), make(**{name: 0.5}), make(**{name: 0.5})
    case = draw(rng, plain, 4, 5)
    first, second = ours(module, case), ours(module, case)
    assert_same_bits(ours(twin, case), first)
    assert not np.array_equal(first["y"], second["y"])
    assert_same_bits(ours(module.eval(), case), ours(plain, case))
    assert f"{name}=0.5" in repr(module)
    with pytest.raises(ValueError, match=f"{name}: expected a number from 0 to 1"):
        make(**{name: 1.5})


def test_a_mask_is_the_same_at_every_step(rng):
    module = nn.RNN(4, 4, input_dropout=0.5, dtype="f8", seed=0)
    module.weight_ih_l0[...] = np.eye(4)
    module.weight_hh_l0[...] = 0
    module.bias_ih_l0[...] = module.bias_hh_l0[...] = 0
    y, _ = module(np.ones((5, 40, 4)))
    assert (y == y[0]).all()
    assert set(np.unique(y).round(12)) == {0.0, np.tanh(2.0).round(12)}


def test_tokens_go_through_input_dropout_too(rng):
    module = nn.LSTM(4, 5, input_dropout=0.5, dtype="f8", seed=0)
    embedding = nn.Embedding(7, 4, dtype="f8", seed=1)
    tokens = rng.integers(0, 7, (6, 3))
    (y, _), back = module.vjp_tokens(embedding, tokens)
    assert back(np.ones_like(y))[0] is None
    assert embedding.weight.grad.any()
    tokens[2:, 1] = -100  # padding
    (_, _), back = module.vjp_tokens(embedding, tokens, None, [6, 2, 6])
    back(np.ones_like(y))
    assert module.infer_tokens(embedding, tokens, None, [6, 2, 6])[0].shape == y.shape
    tokens[2:, 1] = 0
    assert not np.allclose(y, module.eval().infer_tokens(embedding, tokens)[0])


@pytest.mark.parametrize(
    "reset, error, message",
    [
        (
            np.zeros((4, 2)),
            TypeError,
            "reset: expected booleans, or 0 and 1, got an array of float64",
        ),
        (np.zeros((2, 4), bool), ValueError, r"reset: expected shape \(4, 2\), got \(2, 4\)"),
        ("no", TypeError, "reset: expected real numbers"),
    ],
)
def test_resets_are_refused_by_name(reset, error, message):
    with pytest.raises(error, match=message):
        nn.GRU(3, 2, seed=0)(np.zeros((4, 2, 3)), None, None, reset)


def test_a_reset_after_a_sequences_end_means_nothing_in_reverse():
    reset = np.zeros((4, 2), bool)
    reset[2] = True
    forward, reverse = keep_masks(reset, (4, 2), False, np.array([2, 4]), np.dtype("f4"))
    assert forward.tolist() == [[1, 1], [1, 1], [0, 0], [1, 1]]
    assert reverse.tolist() == [[1, 1], [1, 0], [1, 1], [1, 1]]


@pytest.mark.parametrize("kind", MODULES)
def test_not_even_nan_passes_a_reset(rng, kind):
    module = MODULES[kind](3, 5, 2, seed=0)
    case = draw(rng, module, 6, 2)
    reset = np.zeros((6, 2), bool)
    reset[3, 0] = True
    x, dy = case.x.copy(), case.dy.copy()
    expected, _ = module(x, given(case.states), None, reset)
    x[1, 0] = np.nan
    y, _ = module(x, given(case.states), None, reset)
    assert np.isnan(y[2, 0]).all()
    assert np.array_equal(y[3:, 0], expected[3:, 0]) and np.array_equal(y[:, 1], expected[:, 1])
    _, back = module.vjp(case.x, given(case.states), None, reset)
    dy[4, 0] = np.nan
    dx, dstate = back(dy)
    assert np.isfinite(dx[:3]).all() and all(np.isfinite(d).all() for d in taken(dstate))
    reset[0] = True
    y, _ = module(case.x, given([s * np.nan for s in case.states]), None, reset)
    assert np.isfinite(y).all()
