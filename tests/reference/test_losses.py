from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference import losses as ref


@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("lead, V", [((1,), 1), ((7,), 5), ((3, 4), 11)])
def test_cross_entropy_and_its_gradient_equal_torch(rng, lead, V, scale, ignore_index):
    torch = pytest.importorskip("torch")
    logits = rng.standard_normal((*lead, V)) * scale
    targets = rng.integers(0, V, lead)
    targets.flat[1:3] = ignore_index
    tensor = torch.tensor(logits, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(
        tensor.reshape(-1, V), torch.tensor(targets).reshape(-1), ignore_index=ignore_index
    )
    theirs.backward()
    assert_close(ref.cross_entropy(logits, targets, ignore_index), theirs.item(), 1e-13)
    gradient = ref.cross_entropy_gradient(logits, targets, ignore_index)
    assert_close(gradient, tensor.grad.numpy(), 1e-12)


def test_cross_entropy_gradient_equals_complex_step(rng):
    logits, targets = rng.standard_normal((3, 4, 7)), rng.integers(0, 7, (3, 4))
    targets[1, 2] = -100
    numeric = complex_gradient(lambda z: ref.cross_entropy(z, targets), logits)
    assert_close(ref.cross_entropy_gradient(logits, targets), numeric, 1e-12)


def test_cross_entropy_of_ignored_targets_only_is_nan_with_zero_gradient():
    logits, targets = np.zeros((2, 3)), np.array([-100, -100])
    assert np.isnan(ref.cross_entropy(logits, targets))
    assert not ref.cross_entropy_gradient(logits, targets).any()


def test_mse_equals_torch_and_complex_step(rng):
    torch = pytest.importorskip("torch")
    p, t = rng.standard_normal((2, 5, 3))
    assert_close(ref.mse(p, t), torch.nn.functional.mse_loss(*map(torch.tensor, (p, t))), 1e-14)
    assert_close(ref.mse_gradient(p, t), complex_gradient(lambda z: ref.mse(z, t), p), 1e-13)


def test_bce_with_logits_equals_torch_and_complex_step(rng):
    torch = pytest.importorskip("torch")
    z, t = rng.standard_normal((5, 3)) * 4, rng.random((5, 3))
    z[0, 0], z[0, 1] = 900, -900
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(*map(torch.tensor, (z, t)))
    assert_close(ref.binary_cross_entropy_with_logits(z, t), theirs, 1e-14)
    numeric = complex_gradient(lambda moved: ref.binary_cross_entropy_with_logits(moved, t), z)
    assert_close(ref.binary_cross_entropy_with_logits_gradient(z, t), numeric, 1e-12)
