"""Forecasts block after block, and quantiles."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm import models
from numba_lstm.estimators.forecasting import checked_quantiles, forecast


def test_further_steps_are_forecast_from_the_forecast(rng):
    module = models.Forecaster(3, 4, 2, horizon=2, future_size=1, seed=0).eval()
    x = rng.normal(size=(5, 4, 3)).astype("f4")
    future = rng.normal(size=(4, 4, 1)).astype("f4")
    found = forecast(module, x, future, 2, steps=4)
    first = module(x, future[:2])
    np.testing.assert_allclose(found[:2, ..., 0], first, rtol=1e-6)
    then = np.concatenate([x, np.concatenate([first, future[:2]], axis=-1)])[-5:]
    expected = module(then, future[2:])
    np.testing.assert_allclose(found[2:, ..., 0], expected, rtol=1e-5)


def test_many_windows_are_forecast_in_parts(rng, monkeypatch):
    module = models.Forecaster(1, 4, 1, horizon=3, seed=0).eval()
    x = rng.normal(size=(5, 9, 1)).astype("f4")
    expected = forecast(module, x, None, 1, 3)
    monkeypatch.setattr("numba_lstm.estimators.forecasting.ROWS", 4)
    np.testing.assert_allclose(forecast(module, x, None, 1, 3), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "quantiles",
    [
        [0.1, 0.9],
        [0.9, 0.5, 0.1],
        [0.0, 0.5, 1.0],
        [0.5, 0.7, 0.9],
        0.5,
        "all",
        [[0.5]],
        [np.nan, 0.5, 0.9],
    ],
)
def test_quantiles_that_cannot_be_meant_are_refused(quantiles):
    with pytest.raises(ValueError, match="quantiles: expected"):
        checked_quantiles(quantiles)


def test_quantiles_are_kept_as_numbers():
    assert checked_quantiles(None) is None
    assert checked_quantiles(np.array([0.1, 0.5, 0.9])) == (0.1, 0.5, 0.9)


def test_what_goes_on_is_the_median_of_quantiles_in_order(rng):
    module = models.Forecaster(1, 4, 3, horizon=2, seed=0).eval()
    x = rng.normal(size=(5, 4, 1)).astype("f4")
    found = forecast(module, x, None, 1, steps=4)
    first = np.sort(module(x), axis=-1)
    assert (first != module(x)).any()
    np.testing.assert_allclose(found[:2, :, 0], first, rtol=1e-6)
    then = np.concatenate([x, first[..., 1:2]])[-5:]
    np.testing.assert_allclose(found[2:, :, 0], np.sort(module(then), axis=-1), rtol=1e-5)
