"""Sampling: temperature, top-k and seeds do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.models import LanguageModel, generate
from numba_lstm.models.sampling import draw


@pytest.fixture(scope="module")
def model():
    return LanguageModel(12, 6, 16, dropout=0.5, seed=2)


def test_a_seed_gives_the_same_tokens_and_another_gives_others(model):
    one, two, other = (list(generate(model, [1, 2], 40, seed=seed)) for seed in (5, 5, 6))
    assert one == two != other
    assert len(one) == 40
    assert all(0 <= token < 12 for token in one)


def test_the_greedy_tokens_are_those_the_whole_sequence_predicts(model):
    prompt = [3, 1, 4]
    made = list(generate(model, prompt, 10, temperature=0))
    logits, _ = model.eval()(np.array([*prompt, *made])[:, None])
    model.train()
    assert made == logits[2:-1, 0].argmax(-1).tolist()


def test_a_long_prompt_is_read_as_a_whole(model, rng):
    prompt = rng.integers(0, 12, 600)
    first = next(generate(model, prompt, 1, temperature=0))
    model.eval()
    assert first == model(prompt[:, None])[0][-1, 0].argmax()
    model.train()


def test_sampling_leaves_the_model_in_its_mode(model):
    list(generate(model, [0], 3, seed=0))
    assert model.training
    stopped = generate(model, [0], 3, seed=0)
    next(stopped)
    stopped.close()
    assert model.training


def test_frequencies_follow_the_probabilities_at_the_temperature():
    rng = np.random.default_rng(0)
    logits = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    for temperature in (1.0, 0.5):
        drawn = np.bincount([draw(logits, temperature, None, None, rng) for _ in range(20000)])
        expected = np.array([0.1, 0.2, 0.7]) ** (1 / temperature)
        np.testing.assert_allclose(drawn / 20000, expected / expected.sum(), atol=0.015)


def test_top_k_draws_only_the_likeliest_and_one_of_them_is_greedy():
    rng = np.random.default_rng(0)
    logits = np.array([0.0, 3.0, 1.0, 2.9], np.float32)
    assert {draw(logits, 1.0, 2, None, rng) for _ in range(200)} == {1, 3}
    assert {draw(logits, 5.0, 1, None, rng) for _ in range(50)} == {1}


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.01, {0}),
        (0.5, {0}),
        (0.51, {0, 1}),
        (0.79, {0, 1}),
        (0.81, {0, 1, 2}),
        (1.0, {0, 1, 2, 3}),
    ],
)
def test_top_p_draws_among_the_fewest_likeliest_that_reach_it(top_p, kept):
    rng = np.random.default_rng(0)
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    drawn = np.bincount([draw(logits, 1.0, None, top_p, rng) for _ in range(4000)], minlength=4)
    assert set(np.flatnonzero(drawn)) == kept
    share = np.where([at in kept for at in range(4)], [0.5, 0.3, 0.15, 0.05], 0.0)
    np.testing.assert_allclose(drawn / 4000, share / share.sum(), atol=0.03)


def test_top_p_counts_at_the_temperature_and_among_the_top_k():
    rng = np.random.default_rng(0)
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    # At temperature 1/2 the first has 0.68, at 2 it has 0.38.
    assert {draw(logits, 0.5, None, 0.6, rng) for _ in range(300)} == {0}
    assert {draw(logits, 2.0, None, 0.6, rng) for _ in range(300)} == {0, 1}
    # Of the first two together the first has 0.625.
    assert {draw(logits, 1.0, 2, 0.6, rng) for _ in range(300)} == {0}


def test_top_p_of_one_keeps_the_draws_of_a_seed(model):
    one, two = (list(generate(model, [1], 40, top_p=p, seed=5)) for p in (None, 1.0))
    assert one == two


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-30, 1e-8, 1e-6])
def test_a_tiny_temperature_is_greedy_and_raises_nothing(temperature, dtype):
    logits = np.array([-1e38, 3.0, 2.0], dtype)
    wide = np.array([-1e308, 1e308, 0.0])
    with np.errstate(all="raise"):
        for top_p in (None, 1e-300, 0.9):
            rng = np.random.default_rng(0)
            assert draw(logits, temperature, None, top_p, rng) == 1
            assert draw(wide, temperature, None, top_p, rng) == 1


def test_a_whole_sample_raises_nothing_where_numpy_raises_all(model):
    plain = list(generate(model, [1, 2], 20, temperature=1e-6, seed=0))
    with np.errstate(all="raise"):
        assert list(generate(model, [1, 2], 20, temperature=1e-6, seed=0)) == plain


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": []}, "prompt: expected at least one token"),
        ({"prompt": [12]}, "prompt: .*12"),
        ({"length": -1}, "length"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p: expected a number above 0 and at most 1, got 0.0"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_p": float("nan")}, "top_p"),
        ({"seed": -3}, "seed"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(model, options, words):
    with pytest.raises(ValueError, match=words):
        generate(model, **{"prompt": [0], "length": 3, **options})
