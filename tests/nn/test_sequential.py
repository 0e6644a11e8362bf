from __future__ import annotations

import copy

import numpy as np
import pytest
from gradcheck import check_vjp

from numba_lstm.nn import Dropout, Embedding, Module, Parameter, Sequential, once


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


class RNNBase(Module):
    """Returns a tuple, as recurrent layers do."""

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
    model = Sequential(Scale(1.0), RNNBase(), Scale(1.0))
    for call in (model, model.vjp):
        with pytest.raises(TypeError) as caught:
            call(np.ones(2))
        message = str(caught.value)
        assert "module 1 (RNNBase) returned a tuple, and module 2 (Scale) takes one" in message
    assert model[0].factor.grad is None


def test_a_tuple_of_the_first_module_is_refused_too():
    model = Sequential(RNNBase(), Scale(1.0))
    for call in (model, model.vjp):
        with pytest.raises(TypeError, match=r"module 0 \(RNNBase\) returned a tuple, and module 1"):
            call(np.ones(2))


def test_a_tuple_at_the_end_is_the_output():
    model, x = Sequential(Scale(3.0), RNNBase()), np.array([1.0, 2.0])
    y, state = model(x)
    assert y.tolist() == [6, 24] and state == 15
    _, pullback = model.vjp(x)
    assert pullback(np.array([1.0, 1.0]), 1.0).tolist() == [18, 36]


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
