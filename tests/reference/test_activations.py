"""sigmoid, relu and clip: their values, and their slopes by complex step, at corners too."""

from __future__ import annotations

import numpy as np
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference.activations import clip, relu, sigmoid

Z = np.array([-2.5, -1.0, -0.3, 0.0, 0.2, 1.0, 3.0])


def test_values():
    assert_close(sigmoid(Z), 1 / (1 + np.exp(-Z)), 1e-15)
    assert np.array_equal(relu(Z), np.maximum(Z, 0))
    assert np.array_equal(clip(Z, 1.0)[0], np.clip(Z, -1, 1))
    assert clip(Z, None)[0] is Z


def test_slopes_equal_complex_step():
    s = sigmoid(Z)
    assert_close(s * (1 - s), complex_gradient(lambda z: sigmoid(z).sum(), Z), 1e-15)
    assert np.array_equal(relu(Z) > 0, complex_gradient(lambda z: relu(z).sum(), Z))
    for bound in (1.0, 0.25, None):
        slope = clip(Z, bound)[1]
        numeric = complex_gradient(lambda z, bound=bound: clip(z, bound)[0].sum(), Z)
        assert np.array_equal(slope, numeric)
