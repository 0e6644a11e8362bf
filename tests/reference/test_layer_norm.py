"""Layer normalisation: torch's values, gradients by complex step."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference.layer_norm import layer_norm_backward, layer_norm_forward


@pytest.mark.parametrize("B, N", [(1, 1), (2, 3), (4, 7)])
def test_gradients_equal_complex_step(rng, B, N):
    z, gain, dy = rng.standard_normal((B, N)), rng.standard_normal(N), rng.standard_normal((B, N))
    dz, dgain = layer_norm_backward(layer_norm_forward(z, gain)[1], dy)

    def loss(z=z, gain=gain):
        return (layer_norm_forward(z, gain)[0] * dy).sum()

    assert_close(dz, complex_gradient(lambda moved: loss(z=moved), z), 1e-12, "dz")
    assert_close(dgain, complex_gradient(lambda moved: loss(gain=moved), gain), 1e-12, "dgain")


def test_equals_torch(rng):
    torch = pytest.importorskip("torch")
    z, gain, dy = (torch.tensor(rng.standard_normal(s)) for s in [(5, 9), (9,), (5, 9)])
    z.requires_grad_()
    y = torch.nn.functional.layer_norm(z, (9,), gain)
    y.backward(dy)
    ours, saved = layer_norm_forward(z.detach().numpy(), gain.numpy())
    assert_close(ours, y.detach().numpy(), 1e-14)
    assert_close(layer_norm_backward(saved, dy.numpy())[0], z.grad.numpy(), 1e-13)


def test_a_constant_row_stays_finite():
    y, saved = layer_norm_forward(np.full((1, 4), 3.0), np.ones(4))
    assert np.array_equal(y, np.zeros((1, 4)))
    assert np.isfinite(layer_norm_backward(saved, np.arange(4.0)[None])[0]).all()
