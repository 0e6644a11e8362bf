"""A run's forecasters are weighed together, and its networks and linear ones by themselves, too."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.models import Forecaster, LinearForecaster
from numba_lstm.models.members import Members
from numba_lstm.training.forecast import combining
from numba_lstm.training.forecast.combining import Combined

TRUTH = np.zeros((3, 20, 1))
#: What each kind says: the linear ones are better, alike to both sides.
SAID = {"lstm": 4.0, "lstm last": -9.0, "linear": 1.0, "linear last": -1.0}


@pytest.fixture
def members():
    networks = {name: [Forecaster(1, 4, 1, 3, seed=0)] for name in ("lstm", "lstm last")}
    lines = {name: LinearForecaster(1, 1, 3, 5, seed=0) for name in ("linear", "linear last")}
    return Members(networks, lines)


def test_networks_that_got_no_weight_are_weighed_by_themselves(members, monkeypatch):
    said = {id(one): SAID[name] for name, (one,) in members.groups.items()}
    monkeypatch.setattr(combining, "outputs_of", lambda one, _: TRUTH + said[id(one)])
    monkeypatch.setattr(combining, "targets_of", lambda _: TRUTH)
    weights, alone = combining._weighed(members, None, None)
    assert weights == {"lstm": 0.0, "lstm last": 0.0, "linear": 0.5, "linear last": 0.5}
    # 0.7 * 4 - 0.3 * 9 = 0.1: neither is left out, nor has the worse one half.
    assert alone == pytest.approx(
        {"lstm": 0.7, "lstm last": 0.3, "linear": 0.5, "linear last": 0.5}
    )
    found = Combined.of(members, weights, alone)
    assert found.weights == weights and len(found.model.members) == 2
    np.testing.assert_allclose(found.network.weights.numpy(), [0.7, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.linear.weights.numpy(), [0.5, 0.5])
    assert list(found.linear.members) == list(members.lines.values())


def test_without_linear_forecasters_there_is_nothing_of_them_alone(members):
    networks = Members(members.networks, {})
    half = {"lstm": 0.5, "lstm last": 0.5}
    assert Combined.of(networks, half, half).linear is None
