"""The quantile loss: its definition, its minimum, gradients, weights, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gradcheck import assert_close, central_gradient
from losses_tool import DTYPES, TOLERANCE

from numba_lstm import losses
from numba_lstm.reference import losses as reference

Q = [0.1, 0.5, 0.9]


@pytest.mark.parametrize("lead", [(), (6,), (2, 5)])
def test_loss_and_gradient_equal_the_reference_and_differences(rng, lead):
    x, targets = rng.standard_normal((*lead, 3)), np.asarray(rng.standard_normal(lead))
    for weights in (None, rng.random(lead)):
        loss, gradient = losses.quantile(x, targets, Q, sample_weight=weights)
        assert loss == pytest.approx(reference.quantile(x, targets, Q, weights), rel=1e-13)
        assert_close(gradient, reference.quantile_gradient(x, targets, Q, weights), 1e-14)
        numeric = central_gradient(
            lambda z, w=weights: losses.quantile(z, targets, Q, sample_weight=w)[0], x
        )
        assert_close(gradient, numeric, 1e-9)
        without = losses.quantile(x, targets, Q, sample_weight=weights, with_gradient=False)
        assert without == (loss, None)


def test_the_same_written_in_torch_gives_the_same(rng):
    torch = pytest.importorskip("torch")
    x, targets = rng.standard_normal((4, 6, 3)), rng.standard_normal((4, 6))
    tensor, q = torch.tensor(x, requires_grad=True), torch.tensor(Q, dtype=torch.float64)
    d = torch.tensor(targets)[..., None] - tensor
    theirs = torch.maximum(q * d, (q - 1) * d).mean()
    theirs.backward()
    loss, gradient = losses.quantile(x, targets, Q)
    assert loss == pytest.approx(theirs.item(), rel=1e-14)
    assert_close(gradient, tensor.grad.numpy(), 1e-14)


def test_the_mean_pinball_loss_of_scikit_learn_is_the_same(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    x, targets, weights = rng.standard_normal((9, 3)), rng.standard_normal(9), rng.random(9)
    expected = np.mean(
        [
            metrics.mean_pinball_loss(targets, x[:, k], sample_weight=weights, alpha=q)
            for k, q in enumerate(Q)
        ]
    )
    assert losses.quantile(x, targets, Q, sample_weight=weights)[0] == pytest.approx(expected)


def test_half_of_the_median_loss_is_the_absolute_error(rng):
    x, targets = rng.standard_normal((5, 1)), rng.standard_normal(5)
    assert losses.quantile(x, targets, [0.5])[0] == pytest.approx(
        np.abs(x[:, 0] - targets).mean() / 2
    )


def test_it_is_smallest_at_the_quantiles(rng):
    targets = rng.standard_normal(2001)
    outputs = np.tile(np.quantile(targets, Q), (2001, 1))
    smallest = losses.quantile(outputs, targets, Q)[0]
    for move in (-0.05, 0.05):
        assert losses.quantile(outputs + move, targets, Q)[0] > smallest
    assert np.abs(losses.quantile(outputs, targets, Q)[1].sum(axis=0)).max() < 1e-3


def test_an_output_that_hits_its_target_has_no_gradient():
    loss, gradient = losses.quantile([[2.0, 1.0]], [2.0], [0.2, 0.8])
    assert gradient[0, 0] == 0 and gradient[0, 1] == pytest.approx(-0.4)
    assert loss == pytest.approx(0.4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_has_the_dtype_of_the_outputs(rng, dtype):
    x, targets = rng.standard_normal((6, 3)).astype(dtype), rng.standard_normal(6)
    before = x.copy()
    loss, gradient = losses.quantile(x, targets, Q)
    assert type(loss) is float and gradient.dtype == dtype and np.array_equal(x, before)
    wide = losses.quantile(x.astype("f8"), targets.astype(dtype), Q)
    assert loss == pytest.approx(wide[0], rel=TOLERANCE[dtype])
    assert_close(gradient, wide[1], TOLERANCE[dtype])


def test_what_has_no_weight_is_not_looked_at_and_nan_elsewhere_is_seen(rng):
    x, targets = rng.standard_normal((4, 3)), rng.standard_normal(4)
    weights = [1, 0, 2, 0.5]
    loss, gradient = losses.quantile(x, targets, Q, sample_weight=weights)
    targets[1], x[1, 0] = np.nan, np.inf
    again, gradient_again = losses.quantile(x, targets, Q, sample_weight=weights)
    assert again == loss and np.array_equal(gradient, gradient_again) and not gradient[1].any()
    loss, gradient = losses.quantile(x, targets, Q)
    assert math.isnan(loss) and np.isnan(gradient[1]).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((4, 2)), np.zeros(4), Q), ValueError, r"outputs: expected shape \(..., 3\)"),
        ((np.zeros((4, 3)), np.zeros((4, 3)), Q), ValueError, r"targets: expected shape \(4,\)"),
        ((np.zeros((0, 3)), np.zeros(0), Q), ValueError, "targets: expected at least one value"),
        ((np.zeros((4, 1)), np.zeros(4), [1.0]), ValueError, "quantiles: .*got 1.0 at index 0"),
        ((np.zeros((4, 1)), np.zeros(4), [np.nan]), ValueError, "quantiles: .*got nan"),
        ((np.zeros((4, 0)), np.zeros(4), []), ValueError, "quantiles: expected at least one"),
        ((np.zeros((4, 1)), np.zeros(4), 0.5), ValueError, r"quantiles: expected shape \(Q,\)"),
        ((None, np.zeros(4), Q), TypeError, "outputs: .*None"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=rf"^{message}"):
        losses.quantile(*arguments)


def test_weights_have_the_targets_shape():
    with pytest.raises(ValueError, match=r"^sample_weight: expected shape \(2, 3\), got \(2,\)"):
        losses.quantile(np.zeros((2, 3, 1)), np.zeros((2, 3)), [0.5], sample_weight=[1, 1])
