"""The plain recurrent step: gradients by complex step."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent_tool import FLAVOURS, check, draw, draw_parameters

from numba_lstm.reference.rnn_cell import RNNCell


@pytest.mark.parametrize("flavour", [name for name in FLAVOURS if name.startswith("rnn")])
@pytest.mark.parametrize("T, B, I, H", [(1, 1, 2, 3), (3, 2, 3, 4)])
def test_gradients_equal_complex_step(rng, flavour, T, B, I, H):
    check(draw(rng, FLAVOURS[flavour], T=T, B=B, I=I, hidden=[H]), rng)


def test_relu_is_closed_for_some_and_not_all(rng):
    p = draw_parameters(rng, FLAVOURS["rnn-relu"], 2, 8)
    x, h = rng.standard_normal((5, 2)), rng.standard_normal((5, 8))
    (found,), _ = RNNCell("relu").forward(p, x, h, (h,))
    assert 0 < (found == 0).mean() < 1
    assert (found >= 0).all()
    assert np.isrealobj(found)
