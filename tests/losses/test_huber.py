"""What is the Huber loss's own; `test_pairs.py` tests what it shares."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, central_gradient
from losses_tool import torch_result

from numba_lstm import losses


@pytest.mark.parametrize("delta", [0.1, 1.0, 2.5, 1e9])
def test_any_delta_equals_torch_and_differences(rng, delta):
    x, targets = 3 * rng.standard_normal((5, 7)), rng.standard_normal((5, 7))
    x[np.abs(np.abs(x - targets) - delta) < 0.01] += 0.1  # differences would see the corner
    loss, gradient = losses.huber(x, targets, delta)
    theirs, their_gradient = torch_result("huber_loss", x, targets, delta=delta)
    assert loss == pytest.approx(theirs, rel=1e-14)
    assert_close(gradient, their_gradient, 1e-14)
    numeric = central_gradient(lambda z: losses.huber(z, targets, delta)[0], x)
    assert_close(gradient, numeric, 1e-9)


def test_where_it_becomes_linear_both_sides_agree():
    loss, gradient = losses.huber([2.0, -2.0], [0.0, 0.0], delta=2.0)
    assert loss == 2.0 and gradient.tolist() == [1.0, -1.0]
    assert losses.huber([np.inf], [0.0])[0] == np.inf


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, None, True])
def test_a_delta_that_is_not_above_zero_is_refused(delta):
    with pytest.raises((TypeError, ValueError), match=r"^delta: expected a number above 0"):
        losses.huber([1.0], [0.0], delta)
