"""Initial states that are learnt: the same as states that are given, with right gradients."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, draw, given, taken
from long_tool import LONG

from numba_lstm import nn, testing
from numba_lstm.nn import init

KINDS = list(MODULES)


def learnt(kind, *sizes, rng, **options):
    module = MODULES[kind](*sizes, learn_initial_state=True, seed=0, **options)
    for names in module.initial_names:
        for name in names:
            p = getattr(module, name)
            assert not p.numpy().any()
            p[...] = rng.standard_normal(p.shape)
    return module


def rows(module, batch):
    """The states that its parameters are, for so many sequences."""
    layers = []
    for names in module.initial_names:
        each = [np.repeat(getattr(module, n).numpy()[None], batch, axis=0) for n in names]
        d = 2 if module.bidirectional else 1
        alike = len({one.shape for one in each}) == 1
        layers.append(
            np.stack(each)
            if alike
            else [np.stack(each[at : at + d]) for at in range(0, len(each), d)]
        )
    return given(layers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden", [7, [7, 9]])
def test_the_gradients_are_those_of_differences(rng, kind, hidden):
    module = learnt(kind, 3, hidden, 2, rng=rng, bidirectional=True, dtype="f8")
    x = rng.standard_normal((4, 3, 3))
    if kind == "rnn-relu":  # away from its corner
        for name, p in module.named_parameters():
            p[...] = 3.0 if name.startswith("bias_ih") else 0.2 * p.numpy()
    ragged = isinstance(hidden, list)  # one shows lengths, the other whole sequences
    for lengths in (None, [4, 0, 2]) if LONG else ([4, 0, 2] if ragged else None,):
        testing.gradcheck(module, x, samples=6, tolerance=1e-6, lengths=lengths)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_is_one_with_the_parameters_as_states(rng, kind):
    module = learnt(kind, 3, 5, 2, rng=rng, bidirectional=True)
    case = draw(rng, module, 4, 3, lengths=True)
    for lengths in (None, case.lengths):
        y, states = module(case.x, None, lengths)
        y0, states0 = module(case.x, rows(module, 3), lengths)
        assert np.array_equal(y, y0)
        for one, other in zip(taken(states), taken(states0), strict=True):
            assert np.array_equal(one, other)
        module.zero_grad()
        (y1, _), pullback = module.vjp(case.x, None, lengths)
        assert np.array_equal(y, y1)
        _, dstates = pullback(case.dy, given(case.dstates))
        for names, d in zip(module.initial_names, taken(dstates), strict=True):
            for name, part in zip(names, d, strict=True):
                np.testing.assert_allclose(getattr(module, name).grad, part.sum(axis=0), rtol=1e-5)


def test_a_state_that_is_given_takes_their_place_and_they_get_no_gradient(rng):
    module = learnt("lstm", 3, 5, rng=rng)
    plain = nn.LSTM(3, 5, seed=0)
    assert np.array_equal(plain.weight_hh_l0.numpy(), module.weight_hh_l0.numpy())
    x, zeros = rng.standard_normal((4, 2, 3)), np.zeros((1, 2, 5))
    y, _ = module(x, (zeros, zeros))
    assert np.array_equal(y, plain(x)[0])
    (_, _), pullback = module.vjp(x, (zeros, zeros))
    pullback(y)
    assert module.h_0_l0.grad is None and module.weight_hh_l0.grad is not None


@pytest.mark.parametrize("batch_first", [False, True])
def test_steps_start_at_the_learnt_state(rng, batch_first):
    module = learnt("lstm", 3, 5, 2, rng=rng, batch_first=batch_first)
    x = rng.standard_normal((4, 2, 3)).astype("f4")
    y, _ = module(x.swapaxes(0, 1) if batch_first else x)
    y = y.swapaxes(0, 1) if batch_first else y
    state = None
    for t in range(4):
        out, state = module.step(x[t], state)
        assert np.array_equal(out, y[t])
    single, _ = module.step(x[0, 0])
    np.testing.assert_allclose(single, y[0, 0], rtol=1e-6)


def test_tokens_and_single_sequences_start_there_too(rng):
    module = learnt("gru", 3, 5, rng=rng)
    embedding = nn.Embedding(4, 3, seed=1)
    tokens = rng.integers(0, 4, (6, 2))
    y, _ = module(embedding(tokens))
    assert np.array_equal(module.infer_tokens(embedding, tokens)[0], y)
    (y1, _), pullback = module.vjp_tokens(embedding, tokens)
    assert np.array_equal(y1, y)
    pullback(np.ones_like(y))
    assert module.h_0_l0.grad is not None and module.h_0_l0.grad.any()
    np.testing.assert_allclose(module(embedding(tokens)[:, 0])[0], y[:, 0], rtol=1e-6)


def test_parameters_are_saved_frozen_exchanged_and_reset_like_others(rng):
    module = learnt("lstm-projected", 3, [6, 9], rng=rng, bidirectional=True)
    names = [name for name, _ in module.named_parameters() if name[1:4] == "_0_"]
    assert names == [
        *("h_0_l0", "h_0_l0_reverse", "h_0_l1", "h_0_l1_reverse"),
        *("c_0_l0", "c_0_l0_reverse", "c_0_l1", "c_0_l1_reverse"),
    ]
    assert module.h_0_l1.shape == (module.proj_size,) and module.c_0_l1.shape == (9,)
    assert "learn_initial_state=True" in repr(module)
    twin = nn.LSTM(
        3, [6, 9], bidirectional=True, proj_size=module.proj_size, learn_initial_state=True
    )
    twin.load_state_dict(module.state_dict())
    x = rng.standard_normal((4, 2, 3))
    assert np.array_equal(twin(x)[0], module(x)[0])
    twin.c_0_l0.requires_grad = False
    (y, _), pullback = twin.vjp(x)
    pullback(y)
    assert twin.c_0_l0.grad is None and twin.c_0_l1.grad is not None
    twin.c_0_l0 = nn.Parameter(np.ones(3, "f4"))
    with pytest.raises(ValueError, match=r"^c_0_l0: expected shape \(6,\)"):
        twin(x)
    init.reset_recurrent_(module, [6, 9], seed=0)
    assert not module.h_0_l0.numpy().any() and module.weight_hh_l0.numpy().any()
    with pytest.raises(TypeError, match=r"^learn_initial_state: expected True or False"):
        nn.GRU(3, 5, learn_initial_state=1)


def test_no_sequences_are_none(rng):
    module = learnt("gru", 3, 5, rng=rng)
    (y, hn), pullback = module.vjp(np.ones((4, 0, 3)))
    assert y.shape == (4, 0, 5) and hn.shape == (1, 0, 5)
    pullback(y)
    assert module.h_0_l0.grad.tolist() == [0] * 5
