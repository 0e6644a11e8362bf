from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.testing import gradcheck


class Affine(nn.Module):
    """y = a ∘ sin(x) + b, and a pullback that a test may break."""

    def __init__(self, **broken):
        self.a, self.b = nn.Parameter(np.array([2.0, 3.0])), nn.Parameter(np.array([0.5, 1.0]))
        self.broken = broken

    def __call__(self, x):
        return self.a.numpy() * np.sin(x) + self.b.numpy() + self.broken.get("call", 0.0)

    def vjp(self, x):
        y = self.a.numpy() * np.sin(x) + self.b.numpy()
        get = self.broken.get

        def pullback(dy):
            da, db = (dy * np.sin(x)).sum(0), dy.sum(0) * get("b", 1.0)
            if get("overwrites"):
                self.a.grad, self.b.grad = da, db
            else:
                self.a.add_grad(da * get("a", 1.0))
                if not get("forgets"):
                    self.b.add_grad(db)
            dx = dy * self.a.numpy() * np.cos(x)
            if "element" in self.broken:
                dx[get("element")] += 1e-3
            return {None: dx, "none": None, "flat": dx.ravel(), "nan": dx * np.nan}[get("dx")]

        return y, pullback


X = np.random.default_rng(0).standard_normal((3, 2))


def test_a_right_pullback_passes_and_leaves_no_trace():
    module, x = Affine(), X.copy()
    before = module.state_dict()
    gradcheck(module, x)
    assert np.array_equal(x, X)
    assert all(np.array_equal(v, before[k]) for k, v in module.state_dict().items())
    assert module.a.grad is None and module.b.grad is None


@pytest.mark.parametrize(
    "broken, message",
    [
        ({"element": (2, 1)}, r"^input 0: the pullback gives \S+ at index \(2, 1\), differences"),
        ({"a": 1.001}, r"^a: the pullback gives \S+ at index \(0,\), differences give"),
        ({"b": -1.0}, r"^b: the pullback gives"),
        ({"forgets": True}, "^b: the pullback adds no gradient"),
        ({"overwrites": True}, "^a: a second pullback does not add to the gradient of the first"),
        ({"dx": "none"}, "^input 0: the pullback gives 0 gradients for 1 arrays"),
        ({"dx": "flat"}, r"^input 0: a gradient of shape \(6,\) for \(3, 2\)"),
        ({"dx": "nan"}, "^input 0: the pullback gives what is not finite"),
        ({"call": 1e-3}, "^output 0: a call gives other values than vjp"),
    ],
)
def test_a_broken_pullback_is_found_and_named(broken, message):
    module = Affine(**broken)
    with pytest.raises(AssertionError, match=message):
        gradcheck(module, X)
    assert np.array_equal(module.a.numpy(), [2.0, 3.0])


def test_one_wrong_element_of_many_is_found_along_a_direction():
    class Wide(nn.Module):
        def __call__(self, x):
            return np.square(x)

        def vjp(self, x):
            def pullback(dy):
                dx = 2 * dy * x
                dx[777] += 0.1
                return dx

            return np.square(x), pullback

    x = np.ones(1000)
    with pytest.raises(AssertionError, match=r"^input 0: the pullback gives .* along a direction"):
        gradcheck(Wide(), x, samples=1)


def test_a_broken_pullback_is_found_without_assertions_too():
    program = """
import numpy as np
from numba_lstm import nn, testing
class Wrong(nn.Module):
    def __call__(self, x): return 2 * x
    def vjp(self, x): return 2 * x, lambda dy: dy
testing.gradcheck(Wrong(), np.ones(2))
"""
    done = subprocess.run([sys.executable, "-O", "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "AssertionError: input 0" in done.stderr


def test_tuples_options_tokens_and_generators_are_passed_on():
    gradcheck(nn.Embedding(5, 3, dtype="f8", seed=0), [[0, 4, 4]])
    gradcheck(nn.Dropout(0.5, seed=0), X)
    states = np.ones((1, 2, 3)), np.zeros((1, 2, 3))
    gradcheck(nn.LSTM(2, 3, dtype="f8", seed=0), np.ones((4, 2, 2)), states, lengths=[4, 2])
    gradcheck(nn.LSTM(2, 3, dtype="f8", seed=0), np.ones((4, 2, 2)), None, return_cells=True)
    lists = [np.ones((1, 2, 3)), np.ones((1, 2, 4))]
    gradcheck(nn.GRU(2, [3, 4], dtype="f8", seed=0), np.ones((4, 2, 2)), lists)
    pair = lambda pullback, states: pullback(states)  # noqa: E731
    cell = nn.LSTMCell(2, 3, dtype="f8", seed=0)
    gradcheck(cell, np.ones((2, 2)), (np.ones((2, 3)), np.ones((2, 3))), pull=pair)


def test_a_generator_is_left_as_it_was_and_a_frozen_parameter_is_passed_by():
    dropout = nn.Dropout(0.5, seed=0)
    before = dropout.random_state()
    gradcheck(dropout, X)
    assert dropout.random_state() == before
    module = Affine(a=0.0)
    module.a.requires_grad = False
    gradcheck(module, X)


def test_what_cannot_be_checked_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r'^module: expected parameters of float64, .*dtype="float64'
    ):
        gradcheck(nn.Linear(2, 3), X)
    with pytest.raises(TypeError, match=r"^module: expected a Module, got function"):
        gradcheck(lambda x: x, X)
    with pytest.raises(ValueError, match=r"^samples: expected at least 1"):
        gradcheck(Affine(), X, samples=0)
