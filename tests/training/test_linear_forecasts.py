"""Linear forecasters are solved on the part that trains, with the penalty the other part likes."""

from __future__ import annotations

import numpy as np

from numba_lstm.datasets import WindowBatches
from numba_lstm.models import LinearForecaster
from numba_lstm.training import linear_forecasts
from numba_lstm.training.linear_forecasts import (
    RIDGES,
    best_ridge,
    outputs_of,
    solve_linear,
    targets_of,
    weights_of,
)


def batches(values, first, last, **about):
    return WindowBatches(values, np.arange(first, last), 6, 2, batch_size=7, **about)


def errors(model, valid):
    return np.abs(outputs_of(model, valid) - targets_of(valid)).mean()


def test_the_penalty_is_the_one_that_forecasts_best(rng):
    values = rng.normal(size=(60, 1)) + 5  # noise: the more penalty the better
    train, valid = batches(values, 6, 20), batches(values, 20, 58)
    model = LinearForecaster(1, 1, 2, 6, seed=0)
    before = model.state_dict()
    found = best_ridge(model, train, valid)
    assert all((model.state_dict()[name] == value).all() for name, value in before.items())
    by_ridge = []
    for ridge in RIDGES:
        solve_linear(model, train, ridge)
        by_ridge.append(errors(model, valid))
    assert found == RIDGES[int(np.argmin(by_ridge))] and found >= 0.1


def test_a_wave_is_solved(rng):
    wave = np.sin(np.arange(60) / 3.0)[:, None]
    train, valid = batches(wave, 6, 40), batches(wave, 40, 58)
    model = LinearForecaster(1, 1, 2, 6, seed=0)
    solve_linear(model, train, best_ridge(model, train, valid))
    assert errors(model, valid) < 0.01


def test_outputs_and_targets_stand_in_the_order_of_the_windows(rng):
    values = rng.normal(size=(40, 2))
    found = batches(values, 6, 30)
    np.testing.assert_array_equal(targets_of(found), found.batch(found.origins)[1])
    model = LinearForecaster(2, 1, 2, 6, seed=0)
    (x, _), _ = found.batch(found.origins)
    np.testing.assert_allclose(outputs_of(model, found), model(x), rtol=1e-5, atol=1e-6)


def test_quantiles_lie_where_the_errors_lie(rng):
    values = rng.exponential(size=(3000, 1))
    train = batches(values, 6, 2990)
    model = LinearForecaster(1, 3, 2, 6, targets=1, seed=0)
    solve_linear(model, train, 0.1, (0.1, 0.5, 0.9))
    found, truth = outputs_of(model, train), targets_of(train)
    below = (truth <= found).mean(axis=(0, 1))
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.01)


def test_of_many_windows_some_are_enough(rng, monkeypatch):
    monkeypatch.setattr(linear_forecasts, "MOST_WINDOWS", 50)
    wave = np.sin(np.arange(900) / 3.0)[:, None]
    model = LinearForecaster(1, 1, 2, 6, seed=0)
    solve_linear(model, batches(wave, 6, 890), 1e-6)
    assert errors(model, batches(wave, 6, 890)) < 0.01


class Weighed(WindowBatches):
    """Windows whose targets from some row on weigh nothing."""

    def __init__(self, *args, until, **about):
        super().__init__(*args, **about)
        self.until = until

    def batch(self, origins):
        inputs, y = super().batch(origins)
        rows = origins[:, None] + np.arange(self.horizon)
        return inputs, y, (rows < self.until).T[..., None].astype("f4")


def test_targets_of_no_weight_tell_nothing(rng):
    """What comes behind a row is spoilt: neither the penalty nor a quantile changes."""
    found = []
    for spoilt in (0.0, 1e4):
        values = rng.normal(size=(60, 1)) if not found else found[0][0].copy()
        values[50:] += spoilt
        valid = Weighed(values, np.arange(20, 52), 6, 2, batch_size=7, until=50)
        model = LinearForecaster(1, 3, 2, 6, targets=1, seed=0)
        ridge = best_ridge(model, batches(values, 6, 20), valid)
        found.append((values, ridge))
        weights = weights_of(valid)
        assert weights.shape == targets_of(valid).shape and not weights[1, -3:].any()
    assert found[0][1] == found[1][1]
    assert weights_of(batches(values, 6, 20)) is None


def test_quantiles_are_of_the_errors_of_what_was_there(rng):
    values = rng.normal(size=(90, 1))
    train = Weighed(values, np.arange(6, 80), 6, 2, batch_size=7, until=70)
    model = LinearForecaster(1, 3, 2, 6, targets=1, seed=0)
    solve_linear(model, train, 1e-3, (0.1, 0.5, 0.9))
    (x, future), y, weights = train.batch(train.origins)
    errors = np.where(weights > 0, y, np.nan) - model(x, future)[..., [0]]
    share = np.nanmean(np.where(np.isnan(errors), np.nan, errors > 0), axis=1)
    np.testing.assert_allclose(share, 0.9, atol=0.02)
