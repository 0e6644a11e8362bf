"""Layers of different sizes: the reference's numbers, lists of states, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from family_tool import MODULES, assert_references, by_reference, draw, flat, given, ours, taken
from lstm_tool import assert_all_close, assert_same_bits
from masks_tool import draw_masks, fix

from numba_lstm import nn
from numba_lstm.nn import init
from numba_lstm.recurrent.states import check_state, new_state, state_taken

# T, B, I, H_l: sizes that grow and shrink, and fill no block and no panel.
SIZES = [(1, 1, 1, [2, 3]), (5, 2, 3, [17, 5, 33]), (4, 7, 5, [129, 40]), (3, 13, 20, [9, 65])]


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", MODULES)
def test_every_output_and_gradient_is_the_references(rng, kind, lengths):
    for number, (steps, batch, inputs, hidden) in enumerate(SIZES):
        for dtype in ("f8", "f4"):
            module = MODULES[kind](
                inputs, hidden, bias=number != 2, batch_first=number == 3,
                bidirectional=number % 2 == 1, dtype=dtype, seed=number,
            )  # fmt: skip
            case = draw(rng, module, steps, batch, lengths)
            if number == 1:
                case = case._replace(reset=rng.random((steps, batch)) < 0.3)
            found, expected = assert_references(module, case), by_reference(module, case)
            for name, value in expected.items():
                assert found[name].shape == value.shape, name


@pytest.mark.parametrize("kind", MODULES)
def test_with_dropout_they_are_the_references_too(rng, monkeypatch, kind):
    module = MODULES[kind](
        4, [33, 7], bidirectional=True, recurrent_dropout=0.5, dropout=0.5, dtype="f8", seed=0
    )
    case = draw(rng, module, 6, 5)
    masks = draw_masks(rng, module, case, ("inputs", "state", "recurrent", "zoneout"))
    between = [rng.integers(0, 2, (6, 5, 2 * module.widths[0][0])) * 2.0]
    fix(monkeypatch, module, None, masks, between)
    assert_references(module, case, masks, between)


@pytest.mark.parametrize("kind", MODULES)
def test_parameters_are_drawn_within_their_own_layers_bound(kind):
    module = MODULES[kind](3, [400, 25], bidirectional=True, seed=0)
    for name, p in module.named_parameters():
        if "_ln_" in name:  # `nn/test_layer_norm.py` tells what they start from
            continue
        bound = 0.05 if "_l0" in name else 0.2
        assert 0.9 * bound < np.abs(p.numpy()).max() <= bound, name
    gates, size = module.GATES, module.widths[0]
    assert module.weight_ih_l1_reverse.shape == (gates * 25, 2 * size[0])
    assert module.weight_hh_l1.shape == (gates * 25, size[1])
    other = MODULES[kind](3, [400, 25], bidirectional=True, seed=1)
    init.reset_recurrent_(other, other.hidden_size, seed=0)
    for one, two in zip(module.parameters(), other.parameters(), strict=True):
        assert np.array_equal(one.numpy(), two.numpy())


@pytest.mark.parametrize("kind", MODULES)
def test_a_list_of_one_size_is_that_size(rng, kind):
    module, twin = MODULES[kind](3, [5, 5], seed=0), MODULES[kind](3, 5, 2, seed=0)
    assert repr(module) == repr(twin) and module.hidden_size == 5 and module.num_layers == 2
    case = draw(rng, twin, 4, 3)
    assert_same_bits(ours(module, case), ours(twin, case))
    assert MODULES[kind](3, [5]).num_layers == 1
    assert MODULES[kind](3, (5, 4), 2).hidden_size == [5, 4]


@pytest.mark.parametrize("kind", MODULES)
def test_layers_of_different_sizes_are_layers_one_after_another(rng, kind):
    both = MODULES[kind](3, [6, 9], dtype="f8", seed=0)
    if kind == "lstm-projected":  # one projection for both
        ones = [nn.LSTM(3, 6, proj_size=4, dtype="f8"), nn.LSTM(4, 9, proj_size=4, dtype="f8")]
    else:
        ones = [MODULES[kind](3, 6, dtype="f8"), MODULES[kind](6, 9, dtype="f8")]
    for layer, one in enumerate(ones):
        for name, p in one.named_parameters():
            p[...] = getattr(both, name.replace("_l0", f"_l{layer}")).numpy()
    x = rng.standard_normal((5, 2, 3))
    y, states = both(x)
    for layer, one in enumerate(ones):
        x, own = one(x)
        for state, other in zip(taken(states), taken(own)):
            part = state[layer] if isinstance(state, list) else state[layer : layer + 1]
            assert np.array_equal(part, other)
    assert np.array_equal(y, x)


@pytest.mark.parametrize("kind", MODULES)
def test_tokens_and_steps_and_single_sequences(rng, kind):
    module = MODULES[kind](8, [21, 6], dtype="f8", seed=0)
    embedding = nn.Embedding(5, 8, dtype="f8", seed=1)
    tokens = rng.integers(0, 5, (6, 4))
    case = draw(rng, module, 6, 4)._replace(x=embedding(tokens), lengths=np.array([6, 0, 3, 2]))
    expected = ours(module, case)
    module.zero_grad()
    about = embedding, tokens, given(case.states), case.lengths
    (y, states), back = module.vjp_tokens(*about)
    assert_all_close({"y": y}, {"y": expected["y"]}, "f8")
    assert np.array_equal(module.infer_tokens(*about)[0], y)
    back(case.dy, given(case.dstates))
    grads = {name: p.grad for name, p in module.named_parameters()}
    assert_all_close(grads, {name: expected[name] for name in grads}, "f8")

    y, states = module(case.x, given(case.states))
    state = given(case.states)
    for t in range(6):
        row, state = module.step(case.x[t], state)
        assert np.array_equal(row, y[t])
    for one, other in zip(taken(state), taken(states)):
        assert all(np.array_equal(a, b) for a, b in zip(flat(one), flat(other), strict=True))

    def alone(state):
        return [p[:, 1] for p in state] if isinstance(state, list) else state[:, 1]

    (y1, states1), back = module.vjp(case.x[:, 1], given([alone(s) for s in case.states]))
    assert np.allclose(y1, y[:, 1], rtol=0, atol=1e-13)
    dx, dinitial = back(case.dy[:, 1], given([alone(s) for s in case.dstates]))
    assert dx.shape == (6, 8)
    for one, d, whole in zip(taken(states1), taken(dinitial), taken(states)):
        for part, d_part, other in zip(one, d, alone(whole), strict=True):
            assert part.shape == d_part.shape == other.shape
            assert np.allclose(part, other, rtol=0, atol=1e-13)


def test_cotangents_of_layers_may_be_none(rng):
    module = nn.GRU(3, [4, 6], dtype="f8", seed=0)
    case = draw(rng, module, 5, 2)
    results = []
    for dhn in ([None, case.dstates[0][1]], [np.zeros((1, 2, 4)), case.dstates[0][1]]):
        _, back = module.vjp(case.x)
        dx, dh0 = back(None, dhn)
        results.append({"dx": dx, "0": dh0[0], "1": dh0[1]})
    assert_same_bits(*results)


def test_an_empty_batch_gives_empty_states():
    module = nn.LSTM(2, [3, 4], bidirectional=True, seed=0)
    for lengths in (None, []):
        (y, (hn, cn)), back = module.vjp(np.zeros((4, 0, 2)), None, lengths)
        assert y.shape == (4, 0, 8)
        for state in (hn, cn, *back(y)[1]):
            assert [part.shape for part in state] == [(2, 0, 3), (2, 0, 4)]


def test_repr_shows_the_sizes():
    assert repr(nn.GRU(3, [5, 4], dropout=0.5)) == "GRU(3, [5, 4], dropout=0.5)"
    assert repr(nn.LSTM(3, [5, 4], proj_size=2)) == "LSTM(3, [5, 4], proj_size=2)"


def test_forget_gates_of_every_layer_are_found():
    module = init.forget_gate_bias_(nn.LSTM(3, [5, 4], bidirectional=True, seed=0), 1.5)
    for layer, hidden in enumerate((5, 4)):
        for tail in ("", "_reverse"):
            gate = slice(hidden, 2 * hidden)
            assert (getattr(module, f"bias_ih_l{layer}{tail}").numpy()[gate] == 1.5).all()
            assert (getattr(module, f"bias_hh_l{layer}{tail}").numpy()[gate] == 0.0).all()
    with pytest.raises(ValueError, match="module: expected an LSTM"):
        init.forget_gate_bias_(nn.GRU(3, [4, 3]))  # 3·4 is 4·3: sizes are looked up by layer


BAD = [
    (([],), {}, ValueError, "hidden_size: expected at least one size, got none"),
    (([5, 0],), {}, ValueError, "hidden_size[1]: expected at least 1, got 0"),
    (([5, 2.0],), {}, TypeError, "hidden_size[1]: expected an integer"),
    (([5, 4], 3), {}, ValueError, "num_layers: expected 2, as many as hidden_size has, got 3"),
    (([5, 4],), {"num_layers": 0}, ValueError, "num_layers: expected at least 1, got 0"),
    (([5, 4],), {"proj_size": 4}, ValueError, "proj_size: expected less than hidden_size, 4"),
]


@pytest.mark.parametrize("arguments, options, error, message", BAD)
def test_sizes_are_refused_by_name(arguments, options, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        nn.LSTM(3, *arguments, **options)


def test_states_are_refused_by_name(rng):
    module = nn.LSTM(3, [5, 4], seed=0)
    case = draw(rng, module, 6, 2)
    h0, c0 = case.states
    for hx, error, message in [
        ((np.zeros((2, 2, 5)), c0), TypeError, "h0: expected a list of 2 arrays, one a layer"),
        ((h0, c0[:1]), ValueError, "c0: expected 2 arrays, one a layer, got 1"),
        ((h0, c0[::-1]), ValueError, "c0[0]: expected shape (1, 2, 5), got (1, 2, 4)"),
        ((h0, [c0[0], None]), TypeError, "c0[1]: expected real numbers, got None"),
        (h0[0], TypeError, "hx: expected a pair (h0, c0)"),
    ]:
        for method in (module, module.vjp):
            with pytest.raises(error, match="^" + re.escape(message)):
                method(case.x, hx)
    _, back = module.vjp(case.x)
    with pytest.raises(ValueError, match=re.escape("dcn[1]: expected shape (1, 2, 4), got (1,")):
        back(None, (None, [case.dstates[1][0], case.dstates[1][0]]))


@pytest.mark.parametrize("widths", [(3, 3), (3, 4)])
@pytest.mark.parametrize("batch", [None, 2])
def test_a_state_comes_back_as_it_was_given(rng, widths, batch):
    middle = () if batch is None else (batch,)
    parts = [rng.standard_normal((2, *middle, width)) for width in widths]
    value = np.concatenate(parts) if widths == (3, 3) else parts
    state = check_state("h0", value, widths, 2, batch, np.dtype("f8"), ("x", ()))
    memory = new_state(widths, 2, batch or 1, np.dtype("f8"))
    assert [one.shape for one in state] == [one.shape for one in memory]
    back = state_taken(state, 2, batch is not None)
    assert type(back) is type(value)
    for one, other in zip(back, value, strict=True):
        assert np.array_equal(one, other)
