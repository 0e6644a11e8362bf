"""What every forecaster promises: levels come back, futures and targets are checked."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import check_vjp

from numba_lstm.models import Forecaster, LinearForecaster

ABOUT = {"normalize": "last", "targets": 2, "future_size": 1, "dtype": "float64", "seed": 1}


def network(**options):
    return Forecaster(3, 5, 4, 3, **{**ABOUT, **options})


def line(**options):
    return LinearForecaster(3, 4, 3, 4, **{**ABOUT, **options})


@pytest.mark.parametrize("make", [network, line])
def test_what_is_learnt_holds_on_every_level(make, rng):
    model = make()
    x, future = rng.normal(size=(5, 4, 3)), rng.normal(size=(3, 4, 1))
    shift = np.array([10.0, -3.0])
    moved = x.copy()
    moved[..., :2] += shift
    expected = model(x, future) + np.repeat(shift, 2)  # two outputs for each target
    np.testing.assert_allclose(model(moved, future), expected, rtol=1e-9)
    other = x.copy()
    other[..., 2] += 1.0  # no target: read as it is
    assert np.abs(model(other, future) - model(x, future)).max() > 1e-3


@pytest.mark.parametrize("make", [network, line])
@pytest.mark.parametrize(
    ("x", "future", "options"),
    [
        ((5, 4, 3), (3, 4, 1), {}),
        ((4, 5, 3), (4, 3, 1), {"batch_first": True}),
        ((5, 3), (3, 1), {}),
        ((5, 4, 3), None, {"future_size": 0}),
        ((5, 4, 3), (3, 4, 1), {"normalize": None}),
    ],
)
def test_every_gradient_equals_differences(make, x, future, options, rng):
    known = None if future is None else rng.normal(size=future)
    check_vjp(make(**options), rng.normal(size=x), known, None, rng=rng, samples=12)


def test_gradients_of_sequences_of_any_length_equal_differences(rng):
    x, future = rng.normal(size=(5, 4, 3)), rng.normal(size=(3, 4, 1))
    lengths = np.array([5, 0, 2, 1])
    check_vjp(network(), x, future, lengths, rng=rng, samples=12)
    x[3:, 2] = np.nan  # padding
    assert np.isfinite(network()(x, future, lengths)).all()


@pytest.mark.parametrize("make", [network, line])
def test_a_call_equals_vjp_to_the_bit(make, rng):
    model = make(dtype="float32").eval()
    x, future = rng.normal(size=(5, 4, 3)), rng.normal(size=(3, 4, 1))
    y = model(x, future)
    assert y.shape == (3, 4, 4) and y.dtype == np.float32 and y.flags.c_contiguous
    np.testing.assert_array_equal(y, model.vjp(x, future)[0])
    np.testing.assert_allclose(y[:, 2], model(x[:, 2], future[:, 2]), rtol=1e-5)


@pytest.mark.parametrize("make", [network, line])
def test_options_that_do_not_fit_are_refused_by_name(make):
    with pytest.raises(ValueError, match="targets: expected a divisor of output_size=4, got 3"):
        make(targets=3)
    with pytest.raises(ValueError, match="targets: expected at most input_size=3"):
        make(targets=4)
    with pytest.raises(ValueError, match="normalize: expected"):
        make(normalize="first")
    assert make(normalize=None, targets=None).targets == 4
    model = make()
    with pytest.raises(ValueError, match=r"^x: expected"):
        model(np.zeros((5, 4, 2)), np.zeros((3, 4, 1)))
    with pytest.raises(ValueError, match=r"^x: expected"):
        model(np.zeros((0, 4, 3)), np.zeros((3, 4, 1)))
    with pytest.raises(ValueError, match=r"^future: expected"):
        model(np.zeros((5, 4, 3)))
    assert "normalize='last'" in repr(model)
