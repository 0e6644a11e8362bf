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


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighted_cross_entropy_equals_torch_and_complex_step(rng, smoothing):
    torch = pytest.importorskip("torch")
    logits, targets, weight = rng.standard_normal((6, 5)), rng.integers(0, 5, 6), rng.random(5)
    targets[2] = -100
    theirs = torch.nn.functional.cross_entropy(
        *map(torch.tensor, (logits, targets, weight)), label_smoothing=smoothing
    )
    found = ref.cross_entropy(logits, targets, weight=weight, label_smoothing=smoothing)
    assert_close(found, theirs.item(), 1e-13)
    options = {"weight": weight, "label_smoothing": smoothing, "sample_weight": rng.random(6)}
    numeric = complex_gradient(lambda z: ref.cross_entropy(z, targets, **options), logits)
    assert_close(ref.cross_entropy_gradient(logits, targets, **options), numeric, 1e-12)


def test_sample_weights_are_how_often_a_row_counts(rng):
    logits, targets, rows = rng.standard_normal((3, 5)), np.array([0, 4, 2]), [0, 0, 2]
    found = ref.cross_entropy(logits, targets, sample_weight=np.array([2, 0, 1]))
    assert_close(found, ref.cross_entropy(logits[rows], targets[rows]), 1e-14)


@pytest.mark.parametrize("name", ["mse", "binary_cross_entropy_with_logits", "huber"])
def test_weighted_losses_of_pairs_equal_complex_step(rng, name):
    x, t, w = 2 * rng.standard_normal((5, 3)), rng.random((5, 3)), rng.random((5, 3))
    loss, gradient = getattr(ref, name), getattr(ref, f"{name}_gradient")
    for weights in (None, w):
        numeric = complex_gradient(lambda z, w=weights: loss(z, t, sample_weight=w), x)
        assert_close(gradient(x, t, sample_weight=weights), numeric, 1e-12)
    counts = np.array([[2, 0, 1]] * 5)
    repeated = [0, 0, 2]
    found = loss(x, t, sample_weight=counts)
    assert_close(found, loss(x[:, repeated], t[:, repeated]), 1e-14)


def test_huber_equals_torch(rng):
    torch = pytest.importorskip("torch")
    p, t = 3 * rng.standard_normal((2, 5, 3))
    for delta in (0.3, 1.0, 20.0):
        theirs = torch.nn.functional.huber_loss(*map(torch.tensor, (p, t)), delta=delta)
        assert_close(ref.huber(p, t, delta), theirs, 1e-14)


def test_quantile_equals_its_definition_and_complex_step(rng):
    x, t, q = rng.standard_normal((4, 2)), rng.standard_normal(4), np.array([0.2, 0.9])
    d = t[:, None] - x
    assert_close(ref.quantile(x, t, q), np.maximum(q * d, (q - 1) * d).mean(), 1e-14)
    for weights in (None, rng.random(4)):
        numeric = complex_gradient(lambda z, w=weights: ref.quantile(z, t, q, w), x)
        assert_close(ref.quantile_gradient(x, t, q, weights), numeric, 1e-12)
