"""Quantiles beside each other, their order, and losses of several forecasters at once."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses
from numba_lstm.models.forecast_losses import by_quantile, median, of_each, pinball


def test_the_pinball_loss_has_quantiles_beside_each_other(rng):
    outputs, targets = rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 4, 2))
    value, gradient = pinball((0.1, 0.5, 0.9))(outputs, targets)
    expected, whole = losses.quantile(outputs.reshape(2, 4, 2, 3), targets, [0.1, 0.5, 0.9])
    assert value == expected
    np.testing.assert_array_equal(gradient, whole.reshape(2, 4, 6))
    assert pinball((0.5,))(targets, targets, with_gradient=False) == (0.0, None)


def test_quantiles_of_each_column_are_put_in_order():
    outputs = np.array([[3.0, 1.0, 2.0, -1.0, 0.0, -2.0]])
    found = by_quantile(outputs, 2)
    np.testing.assert_array_equal(found, [[[1.0, 2.0, 3.0], [-2.0, -1.0, 0.0]]])
    np.testing.assert_array_equal(median(found), [[2.0, -1.0]])


@pytest.mark.parametrize("loss", [losses.mse, losses.huber, pinball((0.1, 0.5, 0.9))])
def test_each_of_several_learns_as_if_it_were_alone_from_what_was_there(rng, loss):
    """A target of weight 0 counts for nobody."""
    outputs = rng.normal(size=(2, 4, 5, 3 if loss not in (losses.mse, losses.huber) else 1))
    targets, weights = rng.normal(size=(4, 5, 1)), np.ones((4, 5, 1))
    weights[1:3, 2:] = 0.0
    value, gradient = of_each(loss)(outputs, targets, sample_weight=weights)
    alone = [loss(one, targets, sample_weight=weights) for one in outputs]
    assert value == pytest.approx(np.mean([one for one, _ in alone]))
    np.testing.assert_allclose(gradient, [one for _, one in alone], rtol=1e-6)
    spoilt = np.where(weights > 0, targets, 1e6)
    assert of_each(loss)(outputs, spoilt, sample_weight=weights)[0] == pytest.approx(value)
    assert of_each(loss)(outputs, targets)[0] != pytest.approx(value)
