"""Losses of a prediction and a target of one shape: torch's numbers, true gradients, weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gradcheck import assert_close, central_gradient
from losses_tool import DTYPES, NAMES, PAIRS, TOLERANCE, TORCH, torch_result

from numba_lstm import losses
from numba_lstm.reference import losses as reference

SHAPES = [(), (1,), (7,), (70,), (5, 13), (127,), (3, 43), (2, 9001)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("function", PAIRS)
def test_losses_of_pairs_equal_torch(rng, function, shape, dtype):
    x = np.asarray(rng.standard_normal(shape) * 5, dtype)
    targets = np.asarray(rng.random(shape), dtype)
    loss, gradient = function(x, targets)
    # torch in float64: its own float32 sums are less exact than ours.
    theirs, their_gradient = torch_result(
        TORCH[function], x.astype(np.float64), targets.astype(np.float64)
    )
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype])
    assert gradient.dtype == dtype
    assert_close(gradient, their_gradient, TOLERANCE[dtype])


@pytest.mark.parametrize("function", PAIRS)
def test_gradients_of_pairs_equal_differences(rng, function):
    x, targets = rng.standard_normal((3, 7)), rng.random((3, 7))
    _, gradient = function(x, targets)
    assert_close(gradient, central_gradient(lambda z: function(z, targets)[0], x), 1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_is_stable_at_extreme_logits(dtype):
    x = np.array([-1e4, 1e4, -1e4, 1e4, -80, 80, 0, 1e-30], dtype)
    targets = np.array([0, 1, 1, 0, 0, 1, 0.5, 1], dtype)
    loss, gradient = losses.binary_cross_entropy_with_logits(x, targets)
    theirs, their_gradient = torch_result(
        "binary_cross_entropy_with_logits", x.astype(np.float64), targets.astype(np.float64)
    )
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype])
    assert np.abs(gradient - their_gradient).max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("function", PAIRS)
def test_nan_reaches_the_loss(function, rng):
    for place in (0, 16, 36):
        x = rng.standard_normal(37).astype(np.float32)
        x[place] = np.nan
        loss, gradient = function(x, np.zeros(37))
        assert math.isnan(loss)
        assert np.flatnonzero(np.isnan(gradient)).tolist() == [place]


@pytest.mark.parametrize("function", PAIRS)
def test_pairs_of_different_shape_or_kind_are_refused(function):
    first, second = NAMES.get(function, ("prediction", "target"))
    with pytest.raises(ValueError, match=rf"{second}: expected shape \(2, 3\), got \(3,\)"):
        function(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(TypeError, match=f"{first}: .*None"):
        function(None, np.zeros(3))
    with pytest.raises(TypeError, match=f"{second}: "):
        function(np.zeros(3), np.zeros(3, complex))


@pytest.mark.parametrize("function", PAIRS)
def test_nothing_to_average_is_refused(function):
    first = NAMES.get(function, ("prediction", "target"))[0]
    for options in ({}, {"sample_weight": np.zeros((3, 0))}):
        with pytest.raises(ValueError, match=rf"^{first}: .*at least one"):
            function(np.zeros((3, 0)), np.zeros((3, 0)), **options)


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", PAIRS)
def test_weighted_losses_equal_the_reference_and_differences(rng, function):
    x, targets, weights = 3 * rng.standard_normal((4, 7)), rng.random((4, 7)), rng.random((4, 7))
    weights[1, 2] = 0
    near = np.abs(np.abs(x - targets) - 1) < 0.01
    x[near] += 0.1  # differences would see the corner of the Huber loss
    loss, gradient = function(x, targets, sample_weight=weights)
    plain = getattr(reference, function.__name__)
    assert loss == pytest.approx(plain(x, targets, sample_weight=weights), rel=1e-13)
    of_plain = getattr(reference, f"{function.__name__}_gradient")
    assert_close(gradient, of_plain(x, targets, sample_weight=weights), 1e-13)
    numeric = central_gradient(lambda z: function(z, targets, sample_weight=weights)[0], x)
    assert_close(gradient, numeric, 1e-9)
    assert function(x, targets, sample_weight=weights, with_gradient=False) == (loss, None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (7,), (3, 43), (2, 3, 4)])
@pytest.mark.parametrize("function", PAIRS)
def test_weights_of_one_change_nothing_but_rounding(rng, function, shape, dtype):
    x, targets = np.asarray(rng.standard_normal(shape) * 5, dtype), np.asarray(rng.random(shape))
    loss, gradient = function(x, targets)
    other, other_gradient = function(x, targets, sample_weight=np.ones(shape))
    assert other == pytest.approx(loss, rel=TOLERANCE[dtype])
    assert other_gradient.dtype == dtype
    assert_close(other_gradient, gradient, TOLERANCE[dtype])


@pytest.mark.parametrize("function", PAIRS)
def test_weights_without_the_last_axis_are_shared_by_what_stands_in_it(rng, function):
    x, targets, weights = rng.standard_normal((4, 3)), rng.random((4, 3)), rng.random(4)
    loss, gradient = function(x, targets, sample_weight=weights)
    every = np.repeat(weights[:, None], 3, axis=1)
    expected, by_value = function(x, targets, sample_weight=every)
    assert loss == expected and np.array_equal(gradient, by_value)


@pytest.mark.parametrize("function", PAIRS)
def test_what_has_no_weight_is_not_looked_at(rng, function):
    x, targets = rng.standard_normal((4, 3)), rng.random((4, 3))
    weights = np.array([1, 0, 2, 0.5])
    loss, gradient = function(x, targets, sample_weight=weights)
    x[1], targets[1, 0] = np.inf, np.nan
    again, gradient_again = function(x, targets, sample_weight=weights)
    assert again == loss and np.array_equal(gradient, gradient_again)
    assert not gradient[1].any()
    x[2, 0] = np.nan
    again, gradient_again = function(x, targets, sample_weight=weights)
    assert math.isnan(again) and np.isnan(gradient_again[2, 0])


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (np.ones(3), ValueError, r"expected shape \(4, 3\) or \(4,\), got \(3,\)"),
        (np.ones((4, 1)), ValueError, r"expected shape \(4, 3\) or \(4,\), got \(4, 1\)"),
        (1.0, ValueError, r"expected shape \(4, 3\) or \(4,\), got \(\)"),
        ([1, 1, -2, 1], ValueError, r"expected finite numbers of at least 0, got -2.0 at index"),
        ([1, 1, np.nan, 1], ValueError, "expected finite numbers of at least 0, got nan"),
        ([0, 0, 0, 0], ValueError, "expected at least one weight above 0, got none"),
        (["a"] * 4, TypeError, "expected real numbers"),
    ],
)
@pytest.mark.parametrize("function", PAIRS)
def test_bad_weights_are_refused_by_name(function, weights, error, message):
    with pytest.raises(error, match=rf"^sample_weight: {message}"):
        function(np.zeros((4, 3)), np.zeros((4, 3)), sample_weight=weights)
