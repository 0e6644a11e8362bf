from __future__ import annotations

import copy

import numpy as np
import pytest
from gradcheck import check_vjp

from numba_lstm.nn import (
    GRU,
    LSTM,
    RNN,
    Dropout,
    Embedding,
    Linear,
    Module,
    Parameter,
    Sequential,
    Tanh,
    once,
)


class Scale(Module):
    """y = factor · x², so that the chain rule has something to chain."""

    def __init__(self, factor):
        self.factor = Parameter(np.array([factor], np.float64))

    def __call__(self, x):
        return self.vjp(x)[0]

    def vjp(self, x):
        def pullback(dy):
            self.factor.add_grad([(dy * x**2).sum()])
            return 2 * self.factor.numpy() * x * dy

        return self.factor.numpy() * x**2, once(pullback)


class Pair(Module):
    """Returns a tuple and is no recurrent layer."""

    def __call__(self, x):
        return self.vjp(x)[0]

    def vjp(self, x):
        return (2 * x, x.sum()), lambda dy, dstate=0.0: (2 * dy + dstate, None)


def test_outputs_and_gradients_chain(rng):
    model = Sequential(Scale(0.7), Dropout(0.3, seed=0), Scale(-1.2))
    check_vjp(model, rng.standard_normal((4, 3)), rng=rng)


def test_call_equals_vjp():
    model, x = Sequential(Scale(2.0), Scale(3.0)), np.array([1.0, -2.0])
    assert model(x).tolist() == [12, 192]
    assert np.array_equal(model(x), model.vjp(x)[0])


def test_names_and_repr_are_torchs():
    torch = pytest.importorskip("torch")
    inner = torch.nn.Sequential(torch.nn.Embedding(5, 3, padding_idx=1))
    theirs = torch.nn.Sequential(inner, torch.nn.Embedding(4, 2))
    ours = Sequential(Sequential(Embedding(5, 3, padding_idx=1)), Embedding(4, 2))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_indexing_length_and_iteration():
    a, b, c = (Scale(k) for k in (1.0, 2.0, 3.0))
    model = Sequential(a, b, c)
    assert len(model) == 3 and list(model) == [a, b, c]
    assert model[0] is a and model[-1] is c
    part = model[1:]
    assert isinstance(part, Sequential) and list(part) == [b, c]
    with pytest.raises(IndexError):
        model[3]


def test_a_tuple_in_the_middle_is_refused_by_name_and_leaves_gradients_alone():
    model = Sequential(Scale(1.0), Pair(), Scale(1.0))
    for call in (model, model.vjp):
        with pytest.raises(TypeError) as caught:
            call(np.ones(2))
        message = str(caught.value)
        assert "module 1 (Pair) returned a tuple, and module 2 (Scale) takes one" in message
    assert model[0].factor.grad is None


def test_a_tuple_of_the_first_module_is_refused_too():
    model = Sequential(Pair(), Scale(1.0))
    for call in (model, model.vjp):
        with pytest.raises(TypeError, match=r"module 0 \(Pair\) returned a tuple, and module 1"):
            call(np.ones(2))


def test_a_tuple_at_the_end_is_the_output():
    model, x = Sequential(Scale(3.0), Pair()), np.array([1.0, 2.0])
    y, state = model(x)
    assert y.tolist() == [6, 24] and state == 15
    _, pullback = model.vjp(x)
    assert pullback(np.array([1.0, 1.0]), 1.0).tolist() == [18, 36]


KINDS = [LSTM, GRU, RNN]
LENGTHS = np.array([5, 0, 2])


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("kind", KINDS)
def test_a_recurrent_module_passes_its_outputs_on(kind, lengths, rng):
    options = {"dtype": "float64", "seed": 0}
    model = Sequential(
        Linear(2, 3, **options),
        kind(3, 4, bidirectional=True, **options),
        Dropout(0.3, seed=1),
        Sequential(Tanh(), kind(8, 5, **options)),
        Linear(5, 2, **options),
    )
    x = rng.standard_normal((5, 3, 2))
    check_vjp(model, x, lengths, rng=rng, samples=10)
    linear, first, dropout, (tanh, second), head = model.eval()
    y = second(tanh(dropout(first(linear(x), lengths=lengths)[0])), lengths=lengths)[0]
    assert np.array_equal(model(x, lengths), head(y))
    assert np.array_equal(model(x, lengths), model.vjp(x, lengths)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_recurrent_module_at_the_end_gives_the_tuple_and_takes_its_cotangents(kind, rng):
    model = Sequential(Linear(2, 3, seed=0), Sequential(kind(3, 4, seed=1)))
    x = rng.standard_normal((5, 3, 2)).astype("f4")
    (y, state), pullback = model.vjp(x, LENGTHS)
    expected, expected_state = model[1][0](model[0](x), lengths=LENGTHS)
    assert np.array_equal(y, expected)
    assert np.array_equal(state[0], expected_state[0])
    assert pullback(y, state).shape == x.shape


def test_a_recurrent_module_at_the_start_gives_the_gradient_of_its_state_too(rng):
    model = Sequential(GRU(2, 3, seed=0), Linear(3, 1, seed=0))
    y, pullback = model.vjp(rng.standard_normal((5, 3, 2)))
    dx, dh0 = pullback(np.ones_like(y))
    assert dx.shape == (5, 3, 2) and dh0.shape == (1, 3, 3)


def test_torch_gives_the_same_where_a_user_takes_y_by_hand(rng):
    torch = pytest.importorskip("torch")
    model = Sequential(LSTM(2, 3, dtype="float64", seed=0), Linear(3, 4, dtype="float64", seed=0))
    lstm, linear = torch.nn.LSTM(2, 3).double(), torch.nn.Linear(3, 4).double()
    for ours, theirs in zip(model, (lstm, linear)):
        theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    x = rng.standard_normal((5, 3, 2))
    expected = linear(lstm(torch.from_numpy(x))[0]).detach().numpy()
    assert np.allclose(model(x), expected, rtol=1e-12, atol=1e-12)


class Last(Module):
    """A module of one's own that takes lengths: the last step of each sequence."""

    def __call__(self, x, lengths=None):
        return self.vjp(x, lengths)[0]

    def vjp(self, x, lengths=None):
        at = np.maximum(np.asarray(lengths), 1) - 1, np.arange(x.shape[1])

        def pullback(dy):
            dx = np.zeros_like(x)
            dx[at] = dy
            return dx

        return x[at], once(pullback)


def test_lengths_go_to_a_module_of_ones_own_that_takes_them(rng):
    model = Sequential(LSTM(2, 3, dtype="float64", seed=0), Last(), Linear(3, 1, dtype="float64"))
    lengths = np.array([5, 1, 2])
    assert model(np.ones((5, 3, 2)), lengths).shape == (3, 1)
    check_vjp(model, rng.standard_normal((5, 3, 2)), lengths, rng=rng)


def test_lengths_that_no_module_takes_are_refused():
    model = Sequential(Scale(1.0), Sequential(Scale(2.0)))
    for call in (model, model.vjp):
        with pytest.raises(TypeError, match=r"^lengths: expected None, as no module"):
            call(np.ones(2), [1, 2])


def test_wrong_lengths_are_refused_by_the_module_that_takes_them():
    with pytest.raises(ValueError, match=r"^lengths: expected 0 to 5, got 6"):
        Sequential(GRU(2, 3), Linear(3, 1))(np.ones((5, 1, 2)), [6])


def test_an_embedding_at_the_start_gets_its_gradient():
    model = Sequential(Embedding(4, 2, dtype=np.float64, seed=0), Scale(2.0))
    _, pullback = model.vjp([1, 3])
    assert pullback(np.ones((2, 2))) is None
    w = model[0].weight.numpy()
    assert np.allclose(model[0].weight.grad[[1, 3]], 4 * w[[1, 3]])


def test_a_pullback_answers_once():
    _, pullback = Sequential(Scale(2.0), Scale(2.0)).vjp(np.ones(2))
    pullback(np.ones(2))
    with pytest.raises(RuntimeError, match="called already"):
        pullback(np.ones(2))


def test_no_modules_are_refused():
    with pytest.raises(ValueError, match=r"^modules: expected at least one module, got none"):
        Sequential()


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match=r"^modules\[1\]: expected a Module, got function"):
        Sequential(Scale(1.0), lambda x: x)


def test_a_copy_shares_nothing():
    model = Sequential(Scale(2.0))
    twin = copy.deepcopy(model)
    twin[0].factor[...] = 5
    assert model[0].factor.numpy() == 2
