"""Losses have torch's numbers and true gradients, are stable, and refuse what has no meaning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gradcheck import assert_close, central_gradient

from numba_lstm import losses
from numba_lstm.reference import losses as reference

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-13}
PAIRS = [losses.mse, losses.binary_cross_entropy_with_logits]


def torch_result(name, x, targets, **options):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, requires_grad=True)
    loss = getattr(torch.nn.functional, name)(tensor, torch.tensor(targets), **options)
    loss.backward()
    return loss.item(), tensor.grad.numpy()


# --- cross entropy ----------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match=r"prediction: .*at least one"):
        losses.mse(np.zeros((3, 0)), np.zeros((3, 0)))
    with pytest.raises(ValueError, match=r"logits: .*at least one"):
        losses.binary_cross_entropy_with_logits([], [])


@pytest.mark.parametrize("bad", [1.0, None, True, "x"])
def test_ignore_index_is_an_integer(bad):
    with pytest.raises(TypeError, match="ignore_index: expected an integer"):
        losses.cross_entropy(np.zeros((2, 5)), [0, 1], ignore_index=bad)


# --- mean squared error, binary cross entropy -------------------------------------------------

SHAPES = [(), (1,), (7,), (70,), (5, 13), (127,), (3, 43), (2, 9001)]
TORCH = {
    losses.mse: "mse_loss",
    losses.binary_cross_entropy_with_logits: "binary_cross_entropy_with_logits",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("function", PAIRS)
def test_losses_of_pairs_equal_torch(rng, function, shape, dtype):
    x = np.asarray(rng.standard_normal(shape) * 5, dtype)
    targets = np.asarray(rng.random(shape), dtype)
    loss, gradient = function(x, targets)
    # torch in float64: its own float32 sums are less exact than ours.
    theirs, their_gradient = torch_result(
        TORCH[function], x.astype(np.float64), targets.astype(np.float64)
    )
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype])
    assert gradient.dtype == dtype
    assert_close(gradient, their_gradient, TOLERANCE[dtype])


@pytest.mark.parametrize("function", PAIRS)
def test_gradients_of_pairs_equal_differences(rng, function):
    x, targets = rng.standard_normal((3, 7)), rng.random((3, 7))
    _, gradient = function(x, targets)
    assert_close(gradient, central_gradient(lambda z: function(z, targets)[0], x), 1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_is_stable_at_extreme_logits(dtype):
    x = np.array([-1e4, 1e4, -1e4, 1e4, -80, 80, 0, 1e-30], dtype)
    targets = np.array([0, 1, 1, 0, 0, 1, 0.5, 1], dtype)
    loss, gradient = losses.binary_cross_entropy_with_logits(x, targets)
    theirs, their_gradient = torch_result(
        "binary_cross_entropy_with_logits", x.astype(np.float64), targets.astype(np.float64)
    )
    assert loss == pytest.approx(theirs, rel=TOLERANCE[dtype])
    assert np.abs(gradient - their_gradient).max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("function", PAIRS)
def test_nan_reaches_the_loss(function, rng):
    for place in (0, 16, 36):
        x = rng.standard_normal(37).astype(np.float32)
        x[place] = np.nan
        loss, gradient = function(x, np.zeros(37))
        assert math.isnan(loss)
        assert np.flatnonzero(np.isnan(gradient)).tolist() == [place]


@pytest.mark.parametrize("function", PAIRS)
def test_pairs_of_different_shape_or_kind_are_refused(function):
    first, second = ("prediction", "target") if function is losses.mse else ("logits", "targets")
    with pytest.raises(ValueError, match=rf"{second}: expected shape \(2, 3\), got \(3,\)"):
        function(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(TypeError, match=f"{first}: .*None"):
        function(None, np.zeros(3))
    with pytest.raises(TypeError, match=f"{second}: "):
        function(np.zeros(3), np.zeros(3, complex))


# --- what all have in common ------------------------------------------------------------------


def call(function, x, targets, **options):
    if function is losses.cross_entropy:
        targets = (np.asarray(targets) > 0.5).any(axis=-1).astype(np.int64)
    return function(x, targets, **options)


ALL = [losses.cross_entropy, *PAIRS]


@pytest.mark.parametrize("function", ALL)
def test_inputs_are_not_written_and_results_are_new(function, rng):
    x, targets = rng.standard_normal((6, 7)), rng.random((6, 7))
    x_before, targets_before = x.copy(), targets.copy()
    _, gradient = call(function, x, targets)
    assert np.array_equal(x, x_before) and np.array_equal(targets, targets_before)
    _, again = call(function, x, targets)
    assert not np.shares_memory(gradient, x) and not np.shares_memory(gradient, again)
    x.flags.writeable = targets.flags.writeable = False
    assert np.array_equal(call(function, x, targets)[1], gradient)


@pytest.mark.parametrize("function", ALL)
def test_any_real_dtype_and_layout_is_cast(function, rng):
    x, targets = rng.integers(-3, 4, (6, 7)), rng.random((6, 7)).astype(np.float32)
    loss, gradient = call(function, x.astype(np.float32), targets)
    for form in (x, x.astype("f2"), x.astype(">f4"), np.asfortranarray(x.astype("f4"))):
        same_loss, same_gradient = call(function, form, targets)
        assert same_loss == loss
        assert same_gradient.dtype == np.float32
        assert np.array_equal(same_gradient, gradient)
    wide_loss, wide_gradient = call(function, x.tolist(), targets.tolist())
    assert wide_loss == pytest.approx(loss, rel=1e-6)
    assert call(function, x.astype(">f8"), targets)[1].dtype == np.float64
    assert wide_gradient.shape == (6, 7)


@pytest.mark.parametrize("function", ALL)
def test_without_gradient_the_loss_is_the_same_to_the_bit(function, rng):
    for rows in (3, 5000):  # on one thread and on several
        x, targets = rng.standard_normal((rows, 65)).astype(np.float32), rng.random((rows, 65))
        assert call(function, x, targets, with_gradient=False) == (
            call(function, x, targets)[0],
            None,
        )


@pytest.mark.parametrize("function", ALL)
def test_the_loss_is_a_python_float(function):
    assert type(call(function, np.zeros((2, 3), np.float32), np.ones((2, 3)))[0]) is float
