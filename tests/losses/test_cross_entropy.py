"""Cross entropy: torch's numbers, true gradients, stability, weights, smoothing, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gradcheck import assert_close, central_gradient
from losses_tool import DTYPES, TOLERANCE, torch_result

from numba_lstm import losses
from numba_lstm.reference import losses as reference


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "N, V", [(1, 1), (3, 2), (5, 7), (70, 15), (33, 16), (17, 17), (9, 65), (31, 127), (2, 129)]
)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_cross_entropy_equals_torch(rng, N, V, scale, dtype):
    x = (rng.standard_normal((N, V)) * scale).astype(dtype)
    targets = rng.integers(0, V, N)
    loss, gradient = losses.cross_entropy(x, targets)
    theirs, their_gradient = torch_result("cross_entropy", x, targets)
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])
    assert gradient.dtype == dtype
    # V = 1 has the gradient 0, so the error is measured against 1/N, the gradient's scale.
    assert np.abs(gradient - their_gradient).max() * N <= TOLERANCE[dtype]


def test_leading_dimensions_are_rows(rng):
    x, targets = rng.standard_normal((4, 3, 11)), rng.integers(0, 11, (4, 3))
    loss, gradient = losses.cross_entropy(x, targets)
    flat_loss, flat_gradient = losses.cross_entropy(x.reshape(12, 11), targets.reshape(12))
    assert loss == flat_loss
    assert np.array_equal(gradient, flat_gradient.reshape(4, 3, 11))
    one_loss, one_gradient = losses.cross_entropy(x[0, 0], targets[0, 0])
    assert one_loss == losses.cross_entropy(x[:1, 0], targets[:1, 0])[0]
    assert one_gradient.shape == (11,)


def test_cross_entropy_gradient_equals_differences(rng):
    x, targets = rng.standard_normal((5, 19)), rng.integers(0, 19, 5)
    targets[2] = -100
    _, gradient = losses.cross_entropy(x, targets)
    assert_close(gradient, central_gradient(lambda z: losses.cross_entropy(z, targets)[0], x), 1e-9)


def test_large_sums_stay_accurate_in_float32(rng):
    x = rng.standard_normal((300, 10_000)).astype(np.float32)
    targets = rng.integers(0, 10_000, 300)
    loss, gradient = losses.cross_entropy(x, targets)
    wide = x.astype(np.float64)
    assert loss == pytest.approx(reference.cross_entropy(wide, targets), rel=1e-7)
    expected = reference.cross_entropy_gradient(wide, targets)
    other = np.ones(x.shape, bool)
    other[np.arange(300), targets] = False
    # Relative to each softmax by itself: 4 ulp of the exponential and the rounding of two products.
    assert np.abs(gradient / expected - 1)[other].max() <= 6 * np.finfo(np.float32).eps


@pytest.mark.parametrize("ignore_index", [-100, -1, 0, 4, 99])
def test_ignored_targets_do_not_count(rng, ignore_index):
    x, targets = rng.standard_normal((13, 5)), rng.integers(1, 4, 13)
    targets[[0, 5, 12]] = ignore_index
    before = targets.copy()
    loss, gradient = losses.cross_entropy(x, targets, ignore_index)
    theirs, their_gradient = torch_result("cross_entropy", x, targets, ignore_index=ignore_index)
    assert loss == pytest.approx(theirs, rel=1e-14, abs=0)
    assert_close(gradient, their_gradient, 1e-14)
    assert not gradient[[0, 5, 12]].any()
    assert np.array_equal(targets, before)


def test_whatever_stands_in_an_ignored_row_changes_nothing(rng):
    x, targets = rng.standard_normal((4, 6)), np.array([0, -100, 5, 2])
    loss, gradient = losses.cross_entropy(x, targets)
    x[1] = np.nan
    again, gradient_again = losses.cross_entropy(x, targets)
    assert again == loss
    assert np.array_equal(gradient, gradient_again)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("V", [2, 16, 37])
def test_extreme_logits_neither_overflow_nor_vanish(rng, V, dtype):
    x = rng.choice([-1e4, 1e4], (40, V)).astype(dtype)
    targets = rng.integers(0, V, 40)
    loss, gradient = losses.cross_entropy(x, targets)
    theirs, their_gradient = torch_result("cross_entropy", x, targets)
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype])
    assert_close(gradient, their_gradient, TOLERANCE[dtype])
    huge = np.full((1, V), np.finfo(dtype).max, dtype)
    assert losses.cross_entropy(huge, [0])[0] == pytest.approx(math.log(V))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("V", [3, 16, 21])
def test_classes_ruled_out_by_minus_infinity_have_no_share(rng, V, dtype):
    x = rng.standard_normal((8, V)).astype(dtype)
    x[:, 1] = -np.inf
    targets = np.zeros(8, np.int64)
    loss, gradient = losses.cross_entropy(x, targets)
    theirs, their_gradient = torch_result("cross_entropy", x, targets)
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype])
    assert_close(gradient, their_gradient, TOLERANCE[dtype])
    assert not gradient[:, 1].any()
    assert losses.cross_entropy(x, targets + 1)[0] == math.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 15, 16, 64])
def test_nan_and_infinity_reach_the_loss_and_their_row_only(rng, place, bad, dtype):
    x = rng.standard_normal((3, 65)).astype(dtype)
    x[1, place] = bad
    loss, gradient = losses.cross_entropy(x, [0, 1, 2])
    assert math.isnan(loss)
    assert np.isnan(gradient[1]).all()
    assert np.isfinite(gradient[[0, 2]]).all()


def test_a_row_of_minus_infinity_only_gives_nan_as_torch_has_it():
    x = np.full((1, 5), -np.inf)
    assert math.isnan(losses.cross_entropy(x, [2])[0])


def test_targets_may_be_of_any_integer_dtype_and_layout(rng):
    x, targets = rng.standard_normal((6, 9)), rng.integers(0, 9, 6)
    loss, _ = losses.cross_entropy(x, targets)
    for dtype in ("i1", "u1", ">i4", "u8"):
        assert losses.cross_entropy(x, targets.astype(dtype))[0] == loss
    assert losses.cross_entropy(x, targets.tolist())[0] == loss
    assert losses.cross_entropy(x, np.repeat(targets, 2)[::2])[0] == loss
    marked = np.array([*targets[:5], 255], "u1")
    with_ignored, gradient = losses.cross_entropy(x, marked, ignore_index=255)
    assert with_ignored == losses.cross_entropy(x[:5], targets[:5])[0]
    assert not gradient[5].any()


@pytest.mark.parametrize(
    "targets, error, message",
    [
        ([0, 5], ValueError, r"targets: expected ids from 0 to 4, got 5 at index \(1\)"),
        ([-1, 0], ValueError, r"targets: expected ids from 0 to 4, got -1 at index \(0\)"),
        ([-100, -99], ValueError, r"targets: expected ids .* got -99 at index \(1\)"),
        ([[0, 1]], ValueError, r"targets: expected shape \(2,\).*got \(1, 2\)"),
        ([0, 1, 2], ValueError, r"targets: expected shape \(2,\).*got \(3,\)"),
        ([-100, -100], ValueError, "targets: .*at least one .*all are ignore_index"),
        ([0.0, 1.0], TypeError, "targets: expected integers"),
        ([True, False], TypeError, "targets: expected integers"),
        (None, TypeError, "targets: .*None"),
        (["a", "b"], TypeError, "targets"),
        (np.ma.array([0, 1], mask=[True, False]), TypeError, "targets: .*masked"),
    ],
)
def test_bad_targets_are_refused_by_name(targets, error, message):
    with pytest.raises(error, match=message):
        losses.cross_entropy(np.zeros((2, 5)), targets)


@pytest.mark.parametrize(
    "logits, error, message",
    [
        (None, TypeError, "logits: .*None"),
        (np.zeros((2, 5), complex), TypeError, "logits"),
        ([["a"] * 5] * 2, TypeError, "logits"),
        (np.ma.array(np.zeros((2, 5)), mask=True), TypeError, "logits: .*masked"),
        (np.zeros((2, 0)), ValueError, r"logits: expected shape \(..., V\)"),
        (np.float64(1), ValueError, r"logits: expected shape \(..., V\)"),
    ],
)
def test_bad_logits_are_refused_by_name(logits, error, message):
    with pytest.raises(error, match=message):
        losses.cross_entropy(logits, [0, 1])


def test_nothing_to_average_is_refused():
    with pytest.raises(ValueError, match=r"targets: .*at least one.*none"):
        losses.cross_entropy(np.zeros((0, 5)), np.zeros(0, np.int64))


@pytest.mark.parametrize("bad", [1.0, None, True, "x"])
def test_ignore_index_is_an_integer(bad):
    with pytest.raises(TypeError, match="ignore_index: expected an integer"):
        losses.cross_entropy(np.zeros((2, 5)), [0, 1], ignore_index=bad)


# --- weights and smoothing ----------------------------------------------------------------------

SMOOTHING = [0.0, 0.1, 1.0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("N, V, scale", [(1, 1, 1), (5, 7, 1), (70, 15, 30), (9, 65, 1e3)])
def test_class_weights_and_smoothing_equal_torch(rng, N, V, scale, weighted, smoothing, dtype):
    torch = pytest.importorskip("torch")
    x = (rng.standard_normal((N, V)) * scale).astype(dtype)
    targets = rng.integers(0, V, N)
    targets[2:4] = -100
    weight = rng.random(V).astype(dtype) + 0.1 if weighted else None
    loss, gradient = losses.cross_entropy(x, targets, weight=weight, label_smoothing=smoothing)
    # In float64: torch's own float32 sums are less exact than ours.
    theirs, their_gradient = torch_result(
        "cross_entropy",
        x.astype(np.float64),
        targets,
        weight=None if weight is None else torch.from_numpy(weight).double(),
        label_smoothing=smoothing,
    )
    assert gradient.dtype == dtype
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])
    assert np.abs(gradient - their_gradient).max() * N <= 3 * TOLERANCE[dtype]


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("with_weight", [False, True])
@pytest.mark.parametrize("with_samples", [False, True])
def test_weighted_gradients_equal_differences_and_the_reference(
    rng, with_samples, with_weight, smoothing
):
    x, targets = rng.standard_normal((3, 4, 9)), rng.integers(0, 9, (3, 4))
    targets[1, 2] = -100
    options = {
        "weight": rng.random(9) if with_weight else None,
        "sample_weight": rng.random((3, 4)) if with_samples else None,
        "label_smoothing": smoothing,
    }
    if with_samples:
        options["sample_weight"][0, 1] = 0
    loss, gradient = losses.cross_entropy(x, targets, **options)
    assert loss == pytest.approx(reference.cross_entropy(x, targets, **options), rel=1e-13)
    assert_close(gradient, reference.cross_entropy_gradient(x, targets, **options), 1e-13)
    numeric = central_gradient(lambda z: losses.cross_entropy(z, targets, **options)[0], x)
    assert_close(gradient, numeric, 1e-9)
    assert losses.cross_entropy(x, targets, **options, with_gradient=False) == (loss, None)


def test_weights_of_one_change_nothing(rng):
    x, targets = rng.standard_normal((6, 9)), rng.integers(0, 9, 6)
    loss, gradient = losses.cross_entropy(x, targets)
    for options in ({"weight": np.ones(9)}, {"sample_weight": np.full(6, 3)}):
        other, other_gradient = losses.cross_entropy(x, targets, **options)
        assert other == pytest.approx(loss, rel=1e-14)
        assert_close(other_gradient, gradient, 1e-14)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_a_weight_is_how_often_a_row_counts(rng, smoothing):
    x, targets = rng.standard_normal((3, 5)), np.array([0, 4, 2])
    loss, gradient = losses.cross_entropy(
        x, targets, sample_weight=[2, 1, 0], label_smoothing=smoothing
    )
    rows = [0, 0, 1]
    expected, by_row = losses.cross_entropy(x[rows], targets[rows], label_smoothing=smoothing)
    assert loss == pytest.approx(expected, rel=1e-14)
    assert_close(gradient, np.stack([by_row[0] + by_row[1], by_row[2], 0 * by_row[0]]), 1e-14)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_whatever_stands_in_a_row_of_no_weight_changes_nothing(rng, smoothing):
    x, targets = rng.standard_normal((4, 6)), np.array([0, 1, 5, 2])
    options = {"sample_weight": [1, 0, 2, 1], "label_smoothing": smoothing}
    loss, gradient = losses.cross_entropy(x, targets, **options)
    assert not gradient[1].any()
    x[1] = np.nan
    again, gradient_again = losses.cross_entropy(x, targets, **options)
    assert again == loss and np.array_equal(gradient, gradient_again)


def test_classes_ruled_out_have_no_share_but_a_share_of_the_smoothing(rng):
    x, targets = rng.standard_normal((4, 6)), np.array([0, 1, 5, 2])
    x[:, 3] = -np.inf
    theirs, their_gradient = torch_result("cross_entropy", x, targets)
    weighted, gradient = losses.cross_entropy(x, targets, weight=np.ones(6))
    assert weighted == pytest.approx(theirs, rel=1e-14)
    assert_close(gradient, their_gradient, 1e-14)
    assert losses.cross_entropy(x, targets, label_smoothing=0.1)[0] == math.inf


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weight": [1, 2]}, ValueError, r"weight: expected shape \(5,\), got \(2,\)"),
        ({"weight": [1, 2, -1, 0, 0]}, ValueError, r"weight: .*got -1.0 at index \(2,\)"),
        ({"weight": [1, np.nan, 1, 0, 0]}, ValueError, "weight: expected finite.*got nan"),
        ({"weight": [0, 0, 0, 0, 1]}, ValueError, "weight: expected a class above 0 among the"),
        ({"weight": "a"}, TypeError, "weight: expected real numbers"),
        ({"sample_weight": [1]}, ValueError, r"sample_weight: expected shape \(2,\), got \(1,\)"),
        ({"sample_weight": [[1, 1]]}, ValueError, r"sample_weight: expected shape \(2,\), got"),
        ({"sample_weight": [1, np.inf]}, ValueError, "sample_weight: expected finite.*got inf"),
        ({"sample_weight": [0, 0]}, ValueError, "sample_weight: expected at least one .*above 0"),
        ({"label_smoothing": 1.5}, ValueError, "label_smoothing: expected a number from 0 to 1"),
        ({"label_smoothing": True}, TypeError, "label_smoothing: expected a number from 0 to 1"),
    ],
)
def test_bad_weights_and_smoothing_are_refused_by_name(options, error, message):
    with pytest.raises(error, match=rf"^{message}"):
        losses.cross_entropy(np.zeros((2, 5)), [0, 1], **options)


def test_weights_of_nothing_but_ignored_targets_are_refused():
    with pytest.raises(ValueError, match=r"^weight: expected a class above 0 among the targets"):
        losses.cross_entropy(np.zeros((2, 5)), [0, -100], sample_weight=[0, 1])
