from __future__ import annotations

import pytest
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference.linear import linear_backward, linear_forward


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_gradients_equal_complex_step(rng, lead):
    arguments = [rng.standard_normal(s) for s in [(*lead, 5), (4, 5), (4,)]]
    dy = rng.standard_normal((*lead, 4))
    found = linear_backward(arguments[0], arguments[1], dy)
    for k, argument in enumerate(arguments):

        def loss(moved, k=k):
            return (linear_forward(*arguments[:k], moved, *arguments[k + 1 :]) * dy).sum()

        assert_close(found[k], complex_gradient(loss, argument), 1e-13)


@pytest.mark.parametrize("bias", [True, False])
def test_equals_torch(rng, bias):
    torch = pytest.importorskip("torch")
    x, w, b = (rng.standard_normal(s) for s in [(7, 3, 13), (5, 13), (5,)])
    theirs = torch.nn.functional.linear(
        *map(torch.tensor, (x, w)), torch.tensor(b) if bias else None
    )
    assert_close(linear_forward(x, w, b if bias else None), theirs.numpy(), 1e-14)
