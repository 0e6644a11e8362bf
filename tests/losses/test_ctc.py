"""CTC: torch's numbers, true gradients, all paths, lengths, and targets that have no path."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from gradcheck import assert_close, central_gradient

from numba_lstm import losses
from numba_lstm.reference import ctc as reference

# Of five sequences of up to 9 steps: labels with and without repeats, few and none.
LABELS = [[1, 2, 2, 3], [3], [], [1, 1, 1], [4, 1, 4, 2, 3]]
COUNTS = [len(one) for one in LABELS]
LENGTHS = [9, 4, 3, 5, 5]


def padded(labels, value=0):
    most = max(map(len, labels))
    return np.array([[*one, *[value] * (most - len(one))] for one in labels]).reshape(-1, most)


def torchs(x, targets, lengths, counts, **options):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.ctc_loss(
        tensor.log_softmax(2),
        torch.tensor(np.asarray(targets), dtype=torch.int64),
        torch.tensor(lengths, dtype=torch.int64),
        torch.tensor(counts, dtype=torch.int64),
        **options,
    )
    loss.backward()
    return loss.item(), tensor.grad.numpy()


# --- the definition -----------------------------------------------------------------------------


def collapsed(path, blank):
    return [label for label, _ in itertools.groupby(path) if label != blank]


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 3], [3, 1, 3], [1, 1, 3]])
def test_it_is_the_sum_over_all_paths(rng, labels, blank):
    steps, classes = 5, 4
    x = rng.standard_normal((steps, 1, classes))
    p = np.exp(x[:, 0]) / np.exp(x[:, 0]).sum(axis=1, keepdims=True)
    total = sum(
        math.prod(p[t, label] for t, label in enumerate(path))
        for path in itertools.product(range(classes), repeat=steps)
        if collapsed(path, blank) == labels
    )
    loss, _ = losses.ctc(x, np.array([labels], int).reshape(1, -1), blank=blank)
    assert loss == pytest.approx(-math.log(total) / max(len(labels), 1), rel=1e-13)


def test_loss_and_gradient_equal_the_reference(rng):
    x = rng.standard_normal((9, 5, 6))
    loss, gradient = losses.ctc(x, padded(LABELS), LENGTHS, COUNTS)
    assert loss == pytest.approx(reference.ctc(x, LABELS, LENGTHS), rel=1e-13)
    assert_close(gradient, reference.ctc_gradient(x, LABELS, LENGTHS), 1e-12)


def test_the_gradient_equals_differences(rng):
    x, options = rng.standard_normal((6, 3, 4)), {"sample_weight": [1, 2, 0.5]}
    arguments = padded([[1, 2, 2], [], [3]]), [6, 2, 4], [3, 0, 1]
    _, gradient = losses.ctc(x, *arguments, **options)
    numeric = central_gradient(lambda z: losses.ctc(z, *arguments, **options)[0], x)
    assert_close(gradient, numeric, 1e-9)


# --- torch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [0, 5])
@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_unequal_lengths_equal_torch(rng, scale, blank):
    x = scale * rng.standard_normal((9, 5, 6))
    loss, gradient = losses.ctc(x, padded(LABELS, blank), LENGTHS, COUNTS, blank)
    theirs, expected = torchs(x, padded(LABELS, blank), LENGTHS, COUNTS, blank=blank)
    assert loss == pytest.approx(theirs, rel=1e-12)
    assert_close(gradient, expected, 1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_real_size_equals_torch(rng, dtype):
    x = rng.standard_normal((120, 7, 30)).astype(dtype)
    lengths, counts = rng.integers(60, 121, 7), rng.integers(1, 25, 7)
    targets = rng.integers(1, 30, (7, 25))
    loss, gradient = losses.ctc(x, targets, lengths, counts)
    theirs, expected = torchs(x, targets, lengths, counts)
    assert gradient.dtype == dtype
    assert loss == pytest.approx(theirs, rel=1e-6 if dtype == "f4" else 1e-12)
    assert_close(gradient, expected, 2e-6 if dtype == "f4" else 1e-12)


def test_long_sequences_do_not_underflow(rng):
    x = rng.standard_normal((3000, 2, 20)).astype("f4") * 5
    targets = rng.integers(1, 20, (2, 200))
    loss, gradient = losses.ctc(x, targets)
    theirs, expected = torchs(x, targets, [3000] * 2, [200] * 2)
    assert math.isfinite(loss) and loss == pytest.approx(theirs, rel=1e-6)
    assert_close(gradient, expected, 1e-5)


def test_targets_may_stand_one_behind_the_other(rng):
    x = rng.standard_normal((9, 5, 6))
    expected = losses.ctc(x, padded(LABELS), LENGTHS, COUNTS)
    loss, gradient = losses.ctc(x, np.concatenate(LABELS).astype(int), LENGTHS, COUNTS)
    assert loss == expected[0] and np.array_equal(gradient, expected[1])


@pytest.mark.parametrize("labels", [LABELS, [*LABELS[:4], [4, 4, 4]], [[1] * 5] * 5])
def test_zero_infinity_leaves_out_what_has_no_path_as_torch_does(rng, labels):
    x, counts = rng.standard_normal((9, 5, 6)), [len(one) for one in labels]
    arguments = padded(labels), LENGTHS, counts
    loss, gradient = losses.ctc(x, *arguments, zero_infinity=True)
    theirs, expected = torchs(x, *arguments, zero_infinity=True)
    assert loss == pytest.approx(theirs, rel=1e-13)
    assert np.abs(gradient - expected).max() <= 1e-13


def test_log_probabilities_are_logits(rng):
    x = rng.standard_normal((6, 2, 4))
    log_p = x - np.log(np.exp(x).sum(axis=2, keepdims=True))
    loss, gradient = losses.ctc(x, [[1, 2], [3, 3]])
    again, gradient_again = losses.ctc(log_p + 1e3, [[1, 2], [3, 3]])
    assert again == pytest.approx(loss, rel=1e-12)
    assert_close(gradient_again, gradient, 1e-10)


# --- lengths, padding, weights ------------------------------------------------------------------


def test_each_sequence_is_as_if_alone(rng):
    x, weights = rng.standard_normal((9, 5, 6)), np.array([1, 0.5, 2, 0, 3])
    loss, gradient = losses.ctc(x, padded(LABELS), LENGTHS, COUNTS, sample_weight=weights)
    alone = [
        losses.ctc(x[:n, b : b + 1], np.array([labels], int).reshape(1, -1))
        for b, (labels, n) in enumerate(zip(LABELS, LENGTHS))
    ]
    share = weights / weights.sum()
    assert loss == pytest.approx(sum(s * one for s, (one, _) in zip(share, alone)), rel=1e-13)
    for b, n in enumerate(LENGTHS):
        assert np.allclose(gradient[:n, b], share[b] * alone[b][1][:, 0], rtol=1e-11, atol=1e-15)


def test_whatever_stands_in_the_padding_changes_nothing(rng):
    x = rng.standard_normal((9, 5, 6))
    loss, gradient = losses.ctc(x, padded(LABELS), LENGTHS, COUNTS)
    beyond = np.arange(9)[:, None] >= LENGTHS
    for value in (np.nan, np.inf, -np.inf):
        x[beyond] = value
        again, gradient_again = losses.ctc(x, padded(LABELS, -7), LENGTHS, COUNTS)
        assert again == loss and np.array_equal(gradient, gradient_again)
    assert not gradient[beyond].any()


def test_a_sequence_without_labels_and_steps_costs_nothing(rng):
    x = rng.standard_normal((3, 2, 4))
    loss, gradient = losses.ctc(x, [[1], [0]], [3, 0], [1, 0])
    assert loss == pytest.approx(losses.ctc(x[:, :1], [[1]])[0] / 2, rel=1e-14)
    assert not gradient[:, 1].any()
    assert losses.ctc(np.zeros((0, 1, 4)), np.zeros((1, 0), int))[0] == 0


def test_a_sequence_of_no_weight_may_be_impossible(rng):
    x = rng.standard_normal((2, 2, 4))
    loss, gradient = losses.ctc(x, [[1, 1], [1, 2]], sample_weight=[0, 1])
    assert loss == pytest.approx(losses.ctc(x[:, 1:], [[1, 2]])[0], rel=1e-14)
    assert not gradient[:, 0].any() and np.isfinite(gradient).all()


def test_nan_reaches_the_loss_and_its_sequence_only(rng):
    x = rng.standard_normal((5, 3, 4))
    x[2, 1, 3] = np.nan
    for skips in (False, True):
        loss, gradient = losses.ctc(x, [[1], [2], [3]], zero_infinity=skips)
        assert math.isnan(loss)
        assert np.isnan(gradient[:, 1]).any() and np.isfinite(gradient[:, [0, 2]]).all()


def test_a_label_that_is_ruled_out_makes_the_loss_infinite_or_nothing(rng):
    x = rng.standard_normal((5, 2, 4))
    x[:, 0, 2] = -np.inf
    assert losses.ctc(x, [[2], [1]])[0] == math.inf
    loss, gradient = losses.ctc(x, [[2], [1]], zero_infinity=True)
    assert loss == pytest.approx(losses.ctc(x[:, 1:], [[1]])[0] / 2, rel=1e-14)
    assert not gradient[:, 0].any()
    loss, gradient = losses.ctc(x, [[3], [1]])
    assert math.isfinite(loss) and np.isfinite(gradient).all() and not gradient[:, 0, 2].any()


def test_without_gradient_the_loss_is_the_same_to_the_bit_and_inputs_are_left_alone(rng):
    x, targets = rng.standard_normal((9, 5, 6)).astype("f4"), padded(LABELS)
    before = x.copy(), targets.copy()
    loss, _ = losses.ctc(x, targets, LENGTHS, COUNTS)
    assert losses.ctc(x, targets, LENGTHS, COUNTS, with_gradient=False) == (loss, None)
    assert type(loss) is float
    assert np.array_equal(x, before[0]) and np.array_equal(targets, before[1])


def test_no_floating_point_error_comes_out():
    with np.errstate(all="raise"):
        for size in (1e-40, 1.0, 1e30):
            x = np.full((5, 1, 4), size, "f4")
            x[::2, :, 1] *= -1
            losses.ctc(x, [[1, 2]])


# --- refusals -----------------------------------------------------------------------------------


def test_targets_that_need_more_steps_are_refused_by_name():
    with pytest.raises(ValueError) as caught:
        losses.ctc(np.zeros((4, 2, 4)), [[1, 2, 3], [1, 1, 2]], [4, 3])
    assert str(caught.value) == (
        "targets: the 3 labels of sequence 1, 1 of which repeat the one before, need at least 4 "
        "steps, got 3; zero_infinity=True leaves such sequences out"
    )
    assert math.isfinite(losses.ctc(np.zeros((4, 2, 4)), [[1, 2, 3], [1, 1, 2]], [3, 4])[0])


X = np.zeros((5, 2, 4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((5, 4)), [[1]]), ValueError, r"logits: expected shape \(T, B, V\)"),
        ((np.zeros((5, 0, 4)), np.zeros((0, 1), int)), ValueError, "logits: .*at least one seq"),
        ((None, [[1]]), TypeError, "logits: .*None"),
        ((X, [[1], [4]]), ValueError, "targets: expected labels from 0 to 3 .*got 4 as label 0 of"),
        ((X, [[1], [-1]]), ValueError, "targets: .*got -1 as label 0 of sequence 1"),
        ((X, [[1, 2], [3, 0]]), ValueError, "targets: .*blank, 0, got 0 as label 1 of sequence 1"),
        ((X, [[1.0], [2.0]]), TypeError, "targets: expected integers"),
        ((X, [[1]]), ValueError, r"targets: expected shape \(2, S\) or"),
        ((X, [1, 2]), ValueError, "target_lengths: expected those of targets"),
        ((X, [1, 2], None, [1, 2]), ValueError, "target_lengths: expected a sum of 2.*got 3"),
        ((X, [[1], [2]], None, [1, 2]), ValueError, "target_lengths: expected 0 to 1, got 2"),
        ((X, [[1], [2]], [6, 2]), ValueError, "input_lengths: expected 0 to 5, got 6"),
        ((X, [[1], [2]], [5]), ValueError, r"input_lengths: expected shape \(2,\)"),
        ((X, [[1], [2]], None, None, 4), ValueError, "blank: expected 0 to 3, got 4"),
        ((X, [[1], [2]], None, None, -1), ValueError, "blank: expected at least 0"),
        ((X, [[1], [2]], None, None, 0.0), TypeError, "blank: expected an integer"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=rf"^{message}"):
        losses.ctc(*arguments)


def test_bad_options_are_refused_by_name():
    with pytest.raises(TypeError, match=r"^zero_infinity: expected True or False"):
        losses.ctc(X, [[1], [2]], zero_infinity=1)
    with pytest.raises(ValueError, match=r"^sample_weight: expected shape \(2,\)"):
        losses.ctc(X, [[1], [2]], sample_weight=[1])
