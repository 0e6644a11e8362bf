"""Members have weights by group, and learn beside each other as if alone."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses, models
from numba_lstm.models.forecast_losses import of_each
from numba_lstm.models.members import Members


def members():
    networks = {"lstm": [models.Forecaster(1, 3, 1, 2, seed=seed) for seed in (0, 1)]}
    return Members(networks, {"linear": models.LinearForecaster(1, 1, 2, 4, seed=0)})


def test_a_group_shares_its_weight(rng):
    found = members().combined({"lstm": 0.6, "linear": 0.4})
    np.testing.assert_allclose(found.weights.numpy(), [0.3, 0.3, 0.4], rtol=1e-6)
    np.testing.assert_allclose(members().combined().weights.numpy(), [0.25, 0.25, 0.5], rtol=1e-6)
    assert not found.training


def test_a_group_without_weight_is_left_out():
    found = members().combined({"lstm": 0.0, "linear": 1.0})
    assert len(found.members) == 1 and isinstance(found.members[0], models.LinearForecaster)


def test_each_learns_as_if_it_were_alone(rng):
    outputs, targets = rng.normal(size=(3, 2, 4, 1)), rng.normal(size=(2, 4, 1))
    value, gradient = of_each(losses.mse)(outputs, targets)
    alone = [losses.mse(one, targets) for one in outputs]
    assert value == pytest.approx(np.mean([one for one, _ in alone]))
    np.testing.assert_allclose(gradient, [one for _, one in alone], rtol=1e-12)
    assert of_each(losses.mse)(outputs, targets, with_gradient=False)[1] is None
