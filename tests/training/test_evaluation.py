"""An evaluation counts every target once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numba_lstm.models import LanguageModel
from numba_lstm.training.evaluation import Evaluation, evaluate


class Uniform:
    """Predicts all tokens alike, and writes down what it is asked."""

    training = True

    def __init__(self):
        self.states = []
        self.modes = []

    def eval(self):
        self.training = False

    def train(self, mode=True):
        self.training = mode

    def __call__(self, tokens, state):
        self.states.append(state)
        self.modes.append(self.training)
        return np.zeros((*tokens.shape, 8), np.float32), len(self.states)


@pytest.mark.parametrize("count", [2, 7, 50, 101])
def test_every_target_counts_once_and_the_state_is_carried(count):
    model = Uniform()
    result = evaluate(model, np.arange(count) % 8, batch=3, seq_len=5)
    assert result.tokens == count - 1
    assert result.loss == pytest.approx(math.log(8), rel=1e-6)
    assert model.states == [None, *range(1, len(model.states))]
    assert not any(model.modes)
    assert model.training


def test_the_loss_is_that_of_each_stream_at_once(rng):
    model = LanguageModel(8, 4, 6, dropout=0.5, dtype=np.float64, seed=0)
    tokens = rng.integers(0, 8, 60)
    logits, _ = model.eval()(tokens[:-1, None])
    wide = logits[:, 0] - logits[:, 0].max(1, keepdims=True)
    picked = wide[np.arange(59), tokens[1:]] - np.log(np.exp(wide).sum(1))
    assert evaluate(model, tokens, 1, 7).loss == pytest.approx(-picked.mean(), rel=1e-9)
    assert not model.training


def test_a_check_that_raises_ends_it_and_leaves_the_mode():
    model = Uniform()

    def check():
        if len(model.states) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, np.arange(90) % 8, 2, 5, check=check)
    assert len(model.states) == 2
    assert model.training


def test_perplexity_and_bits_follow_from_the_loss():
    assert Evaluation(math.log(8), 1).perplexity == pytest.approx(8)
    assert Evaluation(math.log(8), 1).bits_per_token == pytest.approx(3)
    assert Evaluation(1e6, 1).perplexity == math.inf
