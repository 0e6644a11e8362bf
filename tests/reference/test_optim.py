from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.reference import optim as ref

CASES = [
    ("SGD", ref.sgd_step, {"lr": 0.1}),
    ("SGD", ref.sgd_step, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", ref.sgd_step, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", ref.adam_step, {}),
    ("Adam", ref.adam_step, {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    ("AdamW", ref.adamw_step, {}),
    ("AdamW", ref.adamw_step, {"lr": 0.01, "weight_decay": 0.3}),
]


@pytest.mark.parametrize("name, step, options", CASES)
def test_twenty_steps_equal_torch(rng, name, step, options):
    torch = pytest.importorskip("torch")
    p, state = rng.standard_normal((3, 5)), {}
    tensor = torch.tensor(p, requires_grad=True)
    theirs = getattr(torch.optim, name)([tensor], **options)
    for _ in range(20):
        g = rng.standard_normal(p.shape)
        tensor.grad = torch.tensor(g)
        theirs.step()
        p, state = step(p, g, state, **options)
        assert_close(p, tensor.detach().numpy(), 1e-12)


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_equals_torch(rng, max_norm):
    torch = pytest.importorskip("torch")
    gradients = [rng.standard_normal(s) for s in [(3, 4), (7,)]]
    tensors = [torch.zeros(g.shape, dtype=torch.float64) for g in gradients]
    for tensor, g in zip(tensors, gradients):
        tensor.grad = torch.tensor(g)
    theirs = torch.nn.utils.clip_grad_norm_(tensors, max_norm)
    norm, clipped = ref.clip_grad_norm(gradients, max_norm)
    assert norm == pytest.approx(theirs.item(), rel=1e-14, abs=0)
    for ours, tensor in zip(clipped, tensors):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-13, atol=0)
