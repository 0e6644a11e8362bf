from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.reference.embedding import embedding_backward, embedding_forward


@pytest.mark.parametrize("padding_idx", [None, 0, 3])
@pytest.mark.parametrize("shape", [(), (9,), (5, 7), (0, 2)])
def test_equals_torch(rng, shape, padding_idx):
    torch = pytest.importorskip("torch")
    tokens = rng.integers(0, 6, shape)
    w, dy = rng.standard_normal((6, 3)), rng.standard_normal((*shape, 3))
    tensor = torch.tensor(w, requires_grad=True)
    theirs = torch.nn.functional.embedding(torch.tensor(tokens), tensor, padding_idx)
    theirs.backward(torch.tensor(dy))
    assert np.array_equal(embedding_forward(tokens, w), theirs.detach().numpy())
    ours = embedding_backward(tokens, w, dy, padding_idx)
    np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=0, atol=1e-13)
