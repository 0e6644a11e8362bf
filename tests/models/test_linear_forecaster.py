"""The linear forecaster: what it reads, and that it is solved."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import check_vjp

from numba_lstm.models import LinearForecaster


def test_rows_and_columns_of_the_head_are_as_documented(rng):
    model = LinearForecaster(2, 1, 3, window=4, future_size=1, dtype="float64", seed=0)
    assert model.head.weight.shape == (3, 4 * 2 + 3)
    x, future = rng.normal(size=(6, 5, 2)), rng.normal(size=(3, 5, 1))
    weight = np.zeros((3, 11))
    weight[1, 2 * 2 + 1] = 1.0  # step 1 ahead reads feature 1 of the window's step 2
    weight[2, 8 + 2] = 10.0  # step 2 ahead reads what is known of it
    model.head.weight[...] = weight
    model.head.bias[...] = 0
    y = model(x, future)
    np.testing.assert_array_equal(y[1, :, 0], x[2 + 2, :, 1])  # the window is the last 4 of 6 steps
    np.testing.assert_array_equal(y[2, :, 0], 10 * future[2, :, 0])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("normalize", [None, "last"])
def test_linear_series_are_solved(normalize, batch_first, rng):
    about = {"normalize": normalize, "targets": 1, "dtype": "float64"}
    model = LinearForecaster(
        2, 1, 2, window=3, future_size=1, batch_first=batch_first, seed=0, **about
    )
    x, future = rng.normal(size=(3, 60, 2)), rng.normal(size=(2, 60, 1))
    level = x[2, :, :1] if normalize else 0
    y = np.stack([x[0, :, 1:] + 2 * future[0] + 5, -x[1, :, 1:] + future[1]]) + level
    arrays = [np.ascontiguousarray(a.swapaxes(0, 1)) if batch_first else a for a in (x, y, future)]
    model.solve(*arrays, ridge=1e-12)
    np.testing.assert_allclose(model(arrays[0], arrays[2]), arrays[1], atol=1e-6)


def test_only_the_first_features_are_read(rng):
    model = LinearForecaster(3, 1, 2, window=4, reads=1, dtype="float64", seed=0)
    assert model.head.weight.shape == (2, 4)
    x = rng.normal(size=(4, 5, 3))
    other = x.copy()
    other[..., 1:] = 9.0
    np.testing.assert_array_equal(model(other), model(x))
    check_vjp(model, x, None, rng=rng, samples=12)
    y = 3 * x[:2, :, :1] + 1
    model.solve(x, y, ridge=1e-12)
    assert model.head.weight.shape == (2, 4)
    with pytest.raises(ValueError, match="reads: expected at most input_size=3, got 4"):
        LinearForecaster(3, 1, 2, window=4, reads=4)


def test_a_greater_penalty_makes_smaller_weights_and_changes_nothing_until_used(rng):
    model = LinearForecaster(1, 1, 1, window=2, seed=0)
    before = model.head.weight.numpy().copy()
    x, y = rng.normal(size=(2, 40, 1)), rng.normal(size=(1, 40, 1))
    little, much = model.equations(x, y, None, (1e-6, 10.0))
    assert np.abs(much.slopes).sum() < 0.2 * np.abs(little.slopes).sum()
    np.testing.assert_array_equal(model.head.weight.numpy(), before)


def test_several_outputs_of_a_target_lie_beside_its_mean(rng):
    model = LinearForecaster(2, 6, 2, window=1, targets=2, dtype="float64", seed=0)
    x, y = rng.normal(size=(1, 30, 2)), rng.normal(size=(2, 30, 2))
    equations = model.equations(x, y)[0]
    model.use(equations, [-1.0, 0.0, 1.0])
    found = model(x).reshape(2, 30, 2, 3)
    np.testing.assert_allclose(found[..., 1].swapaxes(0, 1).reshape(30, 4), equations(x[0]))
    np.testing.assert_allclose(found[..., 2] - found[..., 0], 2.0)


def test_what_cannot_be_meant_is_refused_by_name(rng):
    model = LinearForecaster(2, 1, 3, window=4, seed=0)
    for call in (model, model.vjp):
        with pytest.raises(ValueError, match=r"^x: expected at least window=4 steps"):
            call(np.zeros((3, 5, 2)))
        with pytest.raises(ValueError, match=r"^lengths: expected None"):
            call(np.zeros((4, 5, 2)), None, [4] * 5)
    with pytest.raises(ValueError, match=r"^y: expected shape"):
        model.solve(np.zeros((4, 5, 2)), np.zeros((3, 4, 1)))
    with pytest.raises(ValueError, match=r"^x: expected 3 dimensions"):
        model.solve(np.zeros((4, 2)), np.zeros((3, 1)))
    with pytest.raises(
        ValueError, match=r"^x: expected at least one window, got shape \(4, 0, 2\)"
    ):
        model.solve(np.zeros((4, 0, 2)), np.zeros((3, 0, 1)))
    with pytest.raises(ValueError, match="window: expected at least 1"):
        LinearForecaster(2, 1, 3, window=0)


@pytest.mark.parametrize(
    ("ridge", "error"),
    [(0.0, ValueError), (np.nan, ValueError), ("a", TypeError), (None, TypeError)],
)
def test_penalties_are_numbers_above_zero(ridge, error):
    model = LinearForecaster(2, 1, 3, window=4, seed=0)
    x, y = np.zeros((4, 5, 2)), np.zeros((3, 5, 1))
    with pytest.raises(error, match=r"^ridge: expected a number above 0"):
        model.solve(x, y, ridge=ridge)
    for ridges in ([1.0, ridge], ridge):
        with pytest.raises((TypeError, ValueError), match=r"^ridges: expected"):
            model.equations(x, y, None, ridges)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["x", "y", "future"])
def test_values_that_are_not_finite_are_refused_and_change_nothing(name, value, batch_first, rng):
    model = LinearForecaster(
        2, 1, 3, window=4, future_size=1, normalize="last", batch_first=batch_first, seed=0
    )
    before = model.head.weight.numpy().copy()
    sizes = {"x": (4, 5, 2), "y": (3, 5, 1), "future": (3, 5, 1)}
    arrays = {key: rng.normal(size=shape) for key, shape in sizes.items()}
    arrays[name][2, 1, 0] = value
    if batch_first:
        arrays = {key: one.swapaxes(0, 1) for key, one in arrays.items()}
    place = r"\(1, 2, 0\)" if batch_first else r"\(2, 1, 0\)"
    with pytest.raises(ValueError, match=rf"^{name}: expected finite .* at index {place}"):
        model.solve(**arrays)
    np.testing.assert_array_equal(model.head.weight.numpy(), before)


def test_what_is_not_read_need_not_be_finite(rng):
    model = LinearForecaster(2, 1, 1, window=2, reads=1, seed=0)
    x, y = rng.normal(size=(3, 9, 2)), rng.normal(size=(1, 9, 1))
    model.solve(x, y)
    before = model.head.weight.numpy().copy()
    x[..., 1], x[0] = np.nan, np.nan
    model.solve(x, y)
    np.testing.assert_array_equal(model.head.weight.numpy(), before)
