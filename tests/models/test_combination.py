"""Forecasters put together: sums, gradients, and weights that a part unseen tells."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import check_vjp

from numba_lstm.models import Combination, Forecaster, LinearForecaster, combination_weights
from numba_lstm.models.combination import Together


def members(future=1):
    about = {"future_size": future, "dtype": "float64", "seed": 0}
    return [
        Forecaster(2, 4, 2, 3, normalize="last", **about),
        LinearForecaster(2, 2, 3, window=4, **about),
    ]


def test_the_forecast_is_the_weighted_sum(rng):
    both = Combination(members(), [0.3, 0.7])
    x, future = rng.normal(size=(5, 4, 2)), rng.normal(size=(3, 4, 1))
    one, two = (member(x, future) for member in both.members)
    np.testing.assert_allclose(both(x, future), 0.3 * one + 0.7 * two, rtol=1e-12)
    assert both.horizon == 3
    np.testing.assert_allclose(Combination(members())(x, future), (one + two) / 2, rtol=1e-12)


@pytest.mark.parametrize("future", [0, 1])
def test_every_gradient_equals_differences(future, rng):
    x = rng.normal(size=(5, 4, 2))
    known = rng.normal(size=(3, 4, 1)) if future else None
    check_vjp(Combination(members(future), [0.3, 0.7]), x, known, rng=rng, samples=12)
    check_vjp(Together(members(future)), x, known, rng=rng, samples=12)


def test_modules_beside_each_other_give_what_each_gives(rng):
    one, two = members(0)
    x = rng.normal(size=(5, 4, 2))
    np.testing.assert_array_equal(Together([one, two])(x), [one(x), two(x)])


def test_a_copy_with_the_same_state_gives_the_same(rng):
    both = Combination(members(), [0.3, 0.7])
    twin = Combination(members())
    twin.load_state_dict(both.state_dict())
    x, future = rng.normal(size=(5, 4, 2)), rng.normal(size=(3, 4, 1))
    np.testing.assert_array_equal(twin(x, future), both(x, future))
    assert {"weights", "members.0.rnn.weight_ih_l0", "members.1.head.bias"} < set(both.state_dict())


def test_weights_favour_what_is_right_and_mix_what_errs_apart(rng):
    truth = rng.normal(size=(3, 90))
    noise = rng.normal(size=(2, 3, 90))
    assert combination_weights([truth, truth + 1], truth).tolist() == [1.0, 0.0]
    weights = combination_weights([truth + noise[0], truth + noise[1], truth + 30], truth)
    assert weights[2] == 0 and abs(weights[0] - 0.5) <= 0.15 and weights.sum() == pytest.approx(1)


def test_another_loss_may_choose_the_weights():
    forecasts, truth = np.array([[[0.0]], [[10.0]]]), np.array([[4.0]])
    squared = combination_weights(forecasts, truth, lambda f, t: float(np.square(f - t).mean()))
    assert squared.tolist() == [0.6, 0.4]


def test_what_was_best_for_a_while_gets_its_share_of_the_time():
    truth, late = np.zeros((1, 10)), np.zeros((1, 10))
    late[:, :8] = 1.0  # right in the last fifth only
    early = 1.0 - late
    weights = combination_weights([early + 0.01, late], truth)
    np.testing.assert_allclose(weights, [0.8, 0.2])
    np.testing.assert_allclose(combination_weights([late, early], truth, blocks=1), [0.0, 1.0])


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(ValueError, match="members: expected at least 1"):
        Combination([])
    with pytest.raises(ValueError, match="weights: expected shape"):
        Combination(members(), [1.0])
    with pytest.raises(ValueError, match="forecasts: expected shape"):
        combination_weights(np.zeros((2, 1, 3)), np.zeros((1, 4)))
    with pytest.raises(ValueError, match="rounds: expected at least 1"):
        combination_weights(np.zeros((2, 1, 3)), np.zeros((1, 3)), rounds=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_and_never_best(value, rng):
    truth = rng.normal(size=(2, 6))
    bad = truth.copy()
    bad[1, 4] = value
    with pytest.raises(ValueError, match=r"^forecasts: expected finite .* at index \(0, 1, 4\)"):
        combination_weights([bad, truth, truth + 1], truth)
    with pytest.raises(ValueError, match=r"^truth: expected finite .* at index \(1, 4\)"):
        combination_weights([truth, truth + 1], bad)
    with pytest.raises(ValueError, match=r"^loss: expected numbers, got \[nan, nan\]"):
        combination_weights([truth, truth + 1], truth, lambda forecast, true: np.nan)
