"""What is the regressor's own; `test_encoder.py` tests what it shares."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses, optim
from numba_lstm.models import SequenceRegressor


@pytest.mark.parametrize(("pooling", "shape"), [("mean", (40, 2)), (None, (6, 40, 2))])
def test_it_learns_sums_of_a_sequence_and_of_its_beginnings(pooling, shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 40, 2))
    sums = 0.3 * np.cumsum(x, axis=0)
    target = sums[-1] if pooling else sums
    model = SequenceRegressor(2, 24, 2, cell="gru", pooling=pooling, seed=0)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    history = []
    for _ in range(150):
        y, pullback = model.vjp(x)
        assert y.shape == shape
        loss, dy = losses.mse(y, target)
        history.append(loss)
        optimizer.zero_grad()
        pullback(dy)
        optimizer.step()
    assert history[-1] < 0.05 * history[0]


def test_no_outputs_are_refused():
    with pytest.raises(ValueError, match=r"^output_size: expected at least 1, got 0"):
        SequenceRegressor(3, 4, 0)
