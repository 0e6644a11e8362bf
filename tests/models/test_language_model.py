"""The language model's gradients, state and shared weights."""

from __future__ import annotations

import copy
import pickle

import gradcheck
import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.models import LanguageModel


def run_twice(model, tokens):
    """Logits of the two halves, the state carried from one to the other."""
    half = len(tokens) // 2
    first, state = model(tokens[:half])
    second, _ = model(tokens[half:], state)
    return np.concatenate([first, second])


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((7, 5, 6), {}),
        ((7, 5, 6, 2), {"dropout": 0.4}),
        ((9, 6, 6), {"dropout": 0.3, "tie_weights": True}),
        ((7, 5, 6), {"dropout": 0.4, "embedding_dropout": 0.0}),
        ((70, 5, 6), {}),
        ((7, 5, 6, 2), {"cell": "gru", "dropout": 0.4}),
        ((9, 6, 6), {"cell": "rnn", "tie_weights": True}),
    ],
)
def test_every_gradient_equals_differences(sizes, options, rng):
    model = LanguageModel(*sizes, **options, dtype=np.float64, seed=1)
    tokens = rng.integers(0, sizes[0], (5, 3))
    layers = sizes[3] if len(sizes) > 3 else 1
    state = tuple(rng.normal(size=(layers, 3, sizes[2])) for _ in "hc")
    if "cell" in options:
        state = state[0]
    before = model.random_state()

    def logits():
        model.load_random_state(before)
        return model.vjp(tokens, state)

    (out, _), pullback = logits()
    weights = rng.normal(size=out.shape)
    pullback(weights)
    for name, parameter in model.named_parameters():
        values = parameter.numpy().copy()
        for place in [tuple(rng.integers(0, n) for n in values.shape) for _ in range(6)]:

            def along(s, parameter=parameter, values=values, place=place):
                moved = values.copy()
                moved[place] += s
                parameter[...] = moved
                return float((logits()[0][0] * weights).sum())

            expected = gradcheck.central_difference(along)
            parameter[...] = values
            scale = np.abs(parameter.grad).max()
            assert abs(parameter.grad[place] - expected) <= 1e-9 * scale, (name, place)


def test_tied_weights_are_one_parameter_with_one_gradient():
    model = LanguageModel(11, 6, 6, tie_weights=True, seed=0)
    assert model.decoder.weight is model.embedding.weight
    assert sum("weight" in n and "lstm" not in n for n, _ in model.named_parameters()) == 1
    copied = copy.deepcopy(model)
    assert copied.decoder.weight is copied.embedding.weight
    with pytest.raises(ValueError, match=r"tie_weights: .*got 5 and 6"):
        LanguageModel(11, 5, 6, tie_weights=True)


@pytest.mark.parametrize(("cell", "kind"), [("gru", nn.GRU), ("rnn", nn.RNN), ("lstm", nn.LSTM)])
def test_the_stack_is_of_the_cell_and_its_parameters_have_its_name(cell, kind, rng):
    model = LanguageModel(9, 4, 5, 2, cell=cell, seed=0).eval()
    assert type(model.stack) is kind
    assert getattr(model, cell) is model.stack
    names = [name for name, _ in model.named_parameters() if name.split(".")[0] == cell]
    assert len(names) == 8
    tokens = rng.integers(0, 9, (6, 3))
    logits, state = model(tokens)
    y, expected = model.stack(model.embedding(tokens))
    assert np.array_equal(logits, model.decoder(y))
    states = state if cell == "lstm" else (state,)
    assert [one.shape for one in states] == [(2, 3, 5)] * len(states)
    assert np.array_equal(states[0], expected[0] if cell == "lstm" else expected)
    np.testing.assert_allclose(run_twice(model, tokens), logits, rtol=1e-5, atol=1e-6)


def test_another_cell_is_refused_by_name():
    with pytest.raises(ValueError, match=r"cell: expected .*lstm.*gru.*rnn.*got 'lstn'"):
        LanguageModel(9, 4, 5, cell="lstn")


def test_a_carried_state_continues_the_sequence(rng):
    model = LanguageModel(13, 8, 9, num_layers=2, seed=3).eval()
    tokens = rng.integers(0, 13, (10, 4))
    whole, state = model(tokens)
    assert whole.shape == (10, 4, 13)
    assert [part.shape for part in state] == [(2, 4, 9)] * 2
    np.testing.assert_allclose(run_twice(model, tokens), whole, rtol=1e-5, atol=1e-6)


def test_going_by_kind_of_token_gives_the_bits_of_going_through_the_embedding(rng, monkeypatch):
    model = LanguageModel(7, 5, 33, num_layers=2, seed=1)
    tokens = rng.integers(0, 7, (9, 4))
    asked = []
    found = []
    for by_token in (True, False):
        assert model._by_token(tokens)
        with monkeypatch.context() as patch:
            patch.setattr(model, "_by_token", lambda _, answer=by_token: asked.append(1) or answer)
            model.zero_grad()
            (logits, _), pullback = model.vjp(tokens)
            assert np.array_equal(model(tokens)[0], logits)
        pullback(np.ones_like(logits))
        found.append((logits, {name: p.grad for name, p in model.named_parameters()}))
    assert len(asked) == 4
    assert np.array_equal(found[0][0], found[1][0])
    for name, gradient in found[1][1].items():
        gradcheck.assert_close(found[0][1][name], gradient, 2e-6, name)


def test_few_tokens_and_dropped_embeddings_go_through_the_embedding():
    model = LanguageModel(7, 5, 6, dropout=0.5, seed=1)
    many, few = np.zeros((4, 2), int), np.zeros((1, 7), int)
    assert not model._by_token(many)
    assert model.eval()._by_token(many)
    assert not model._by_token(few)


def test_calling_in_evaluation_mode_equals_vjp_to_the_bit(rng):
    model = LanguageModel(13, 8, 20, dropout=0.5, seed=3).eval()
    tokens = rng.integers(0, 13, (6, 3))
    logits, state = model(tokens)
    (again, state_again), _ = model.vjp(tokens)
    assert np.array_equal(logits, again)
    assert all(np.array_equal(a, b) for a, b in zip(state, state_again))


def test_a_seed_fixes_parameters_and_masks(rng):
    tokens = rng.integers(0, 9, (4, 2))
    one, two, other = (LanguageModel(9, 4, 5, dropout=0.5, seed=s) for s in (7, 7, 8))
    assert np.array_equal(one(tokens)[0], two(tokens)[0])
    assert not np.array_equal(one(tokens)[0], one(tokens)[0])
    for _ in range(2):
        two(tokens)
    copied = pickle.loads(pickle.dumps(one))
    assert np.array_equal(copied(tokens)[0], two(tokens)[0])
    assert not np.array_equal(one.decoder.weight.numpy(), other.decoder.weight.numpy())


def test_the_parameters_carry_torchs_names_and_train_the_same_model(rng):
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(9, 4)
            self.lstm = torch.nn.LSTM(4, 5, 2)
            self.decoder = torch.nn.Linear(5, 9)

        def forward(self, tokens):
            return self.decoder(self.lstm(self.embedding(tokens))[0])

    ours = LanguageModel(9, 4, 5, 2, dtype=np.float64, seed=0)
    theirs = Theirs().double()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    tokens = rng.integers(0, 9, (6, 3))
    (logits, _), pullback = ours.vjp(tokens)
    expected = theirs(torch.from_numpy(tokens))
    gradcheck.assert_close(logits, expected.detach().numpy(), 1e-12)
    weights = rng.normal(size=logits.shape)
    pullback(weights)
    expected.backward(torch.from_numpy(weights))
    for name, parameter in theirs.named_parameters():
        gradcheck.assert_close(
            dict(ours.named_parameters())[name].grad, parameter.grad.numpy(), 1e-11, name
        )


@pytest.mark.parametrize(
    ("tokens", "kind", "words"),
    [
        ([[0, 9]], ValueError, "tokens: .*9"),
        ([[-1, 0]], ValueError, "tokens: .*-1"),
        ([0, 1], ValueError, "tokens"),
        ([[0.0]], TypeError, "tokens"),
    ],
)
def test_wrong_tokens_are_refused_by_name(tokens, kind, words):
    model = LanguageModel(9, 4, 5, seed=0)
    for call in (model, model.vjp):
        with pytest.raises(kind, match=words):
            call(tokens)


def test_a_refused_pullback_adds_nothing_and_may_be_called_again(rng):
    model = LanguageModel(9, 4, 5, seed=0)
    (logits, _), pullback = model.vjp(rng.integers(0, 9, (3, 2)))
    with pytest.raises(ValueError, match="dlogits: expected shape"):
        pullback(logits[:2])
    assert all(parameter.grad is None for parameter in model.parameters())
    pullback(logits)
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(RuntimeError, match="called already"):
        pullback(logits)


@pytest.mark.parametrize("name", ["vocab_size", "embedding_size", "hidden_size", "num_layers"])
def test_sizes_below_one_are_refused_by_name(name):
    sizes = {"vocab_size": 5, "embedding_size": 4, "hidden_size": 3, "num_layers": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
        LanguageModel(**sizes)
