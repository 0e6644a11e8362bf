"""An evaluation gives what one pass gives, and counts every target once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ranks_tool import in_threads

from numba_lstm.models import LanguageModel
from numba_lstm.training.lm.evaluation import WARMUP, Evaluation, evaluate, shortest


class Uniform:
    """Predicts all tokens alike, and writes down what it is asked."""

    training = True

    def __init__(self):
        self.states = []
        self.modes = []
        self.shapes = []

    def eval(self):
        self.training = False

    def train(self, mode=True):
        self.training = mode

    def __call__(self, tokens, state):
        self.states.append(state)
        self.modes.append(self.training)
        self.shapes.append(tokens.shape)
        return np.zeros((*tokens.shape, 8), np.float32), len(self.states)


class Slow(Uniform):
    """Knows that tokens count upwards modulo 8, once it has read `WARMUP` of them."""

    def __call__(self, tokens, state):
        logits, _ = super().__call__(tokens, state)
        read = (0 if state is None else state) + np.arange(len(tokens))
        after = (tokens + 1) % 8
        np.put_along_axis(
            logits, after[..., None], np.where(read < WARMUP, 0.0, 50.0)[:, None, None], 2
        )
        return logits, int(read[-1]) + 1


def log_likelihoods(model, tokens):
    """Of one call over all tokens, by the definition."""
    logits, _ = model.eval()(tokens[:-1, None])
    wide = logits[:, 0] - logits[:, 0].max(1, keepdims=True)
    return wide[np.arange(len(tokens) - 1), tokens[1:]] - np.log(np.exp(wide).sum(1))


@pytest.mark.parametrize("count", [2, 7, 50, 101])
def test_every_target_counts_once_and_the_state_is_carried(count):
    model = Uniform()
    result = evaluate(model, np.arange(count) % 8, 5)
    assert result.tokens == count - 1
    assert result.loss == pytest.approx(math.log(8), rel=1e-12)
    assert model.states == [None, *range(1, len(model.states))]
    assert not any(model.modes)
    assert model.training


@pytest.mark.parametrize("window", [1, 7, 64, 1000])
@pytest.mark.parametrize("streams", [1, 16])
def test_a_short_text_gets_the_loss_of_one_pass_at_any_batch(rng, window, streams):
    model = LanguageModel(8, 4, 6, dropout=0.5, dtype=np.float64, seed=0)
    for name, parameter in model.named_parameters():
        if "weight" in name:
            parameter[...] = 3.0 * parameter.numpy()  # so that the state matters
    tokens = rng.integers(0, 8, 60)
    expected = -log_likelihoods(model, tokens).mean()
    assert evaluate(model, tokens, window, streams=streams).loss == pytest.approx(
        expected, rel=1e-9
    )
    assert not model.training


@pytest.mark.parametrize("streams", [1, 2, 3, 4])
def test_a_long_text_in_streams_gets_the_loss_of_one_pass(streams):
    model, tokens = Slow(), np.arange(shortest(4) + 3) % 8
    result = evaluate(model, tokens, 100, streams=streams)
    assert result.tokens == len(tokens) - 1
    assert result.loss == pytest.approx(WARMUP * math.log(8) / result.tokens, rel=1e-5)
    assert {shape[1] for shape in model.shapes} == {streams}
    assert {shape[0] for shape in model.shapes[:-1]} == {100 // streams}


def test_a_text_is_cut_into_fewer_streams_where_they_would_be_short():
    for count, streams in ((shortest(3), 3), (shortest(3) - 1, 2), (shortest(2) - 1, 1), (2, 1)):
        model = Uniform()
        evaluate(model, np.arange(count) % 8, 64, streams=8)
        assert model.shapes[0][1] == streams
    evaluate(model, np.arange(9) % 8, 64, streams=10**15)  # at once
    assert model.shapes[-1] == (8, 1)


def test_unknown_tokens_are_counted_and_the_loss_over_the_others_is_told(rng):
    model = LanguageModel(8, 4, 6, dtype=np.float64, seed=0)
    tokens = rng.integers(0, 8, 200)
    each, known = -log_likelihoods(model, tokens), tokens[1:] != 3
    result = evaluate(model, tokens, 16, unknown_id=3)
    assert result.unknown == (~known).sum() > 0
    assert result.unknown_share == pytest.approx(1 - known.mean())
    assert result.loss == pytest.approx(each.mean(), rel=1e-9)
    assert result.known_loss == pytest.approx(each[known].mean(), rel=1e-9)
    without = evaluate(model, tokens, 16)
    assert (without.unknown, without.known_loss) == (0, without.loss)
    assert evaluate(model, np.full(9, 3), 16, unknown_id=3).known_loss is None


def test_a_check_that_raises_ends_it_and_leaves_the_mode():
    model = Uniform()

    def check():
        if len(model.states) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, np.arange(90) % 8, 10, check=check)
    assert len(model.states) == 2
    assert model.training


def test_perplexity_and_bits_follow_from_the_loss():
    assert Evaluation(math.log(8), 1).perplexity == pytest.approx(8, rel=1e-12)
    assert Evaluation(math.log(8), 1).bits_per_token == pytest.approx(3, rel=1e-12)
    assert Evaluation(1e6, 1).perplexity == math.inf


@pytest.mark.parametrize("ranks", [2, 5])
@pytest.mark.parametrize("count", [50, shortest(4) + 3])
def test_ranks_share_out_the_streams_and_find_the_same(rng, ranks, count):
    tokens = rng.integers(0, 8, count)
    model = LanguageModel(8, 4, 6, dtype=np.float64, seed=0)
    alone = evaluate(model, tokens, 100, streams=4, unknown_id=3)
    checks = []
    found = in_threads(
        ranks,
        lambda group: evaluate(
            LanguageModel(8, 4, 6, dtype=np.float64, seed=0), tokens, 100,
            streams=4, unknown_id=3, group=group, check=lambda: checks.append(group.rank),
        ),
    )  # fmt: skip
    for one in found:
        assert (one.tokens, one.unknown) == (alone.tokens, alone.unknown)
        assert one.loss == pytest.approx(alone.loss, rel=1e-12)
        assert one.known_loss == pytest.approx(alone.known_loss, rel=1e-12)
    # As often on each rank: a check is a message to all.
    assert len({checks.count(rank) for rank in range(ranks)}) == 1
