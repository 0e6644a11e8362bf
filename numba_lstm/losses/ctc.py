"""Connectionist temporal classification: labels of a sequence without their places in it."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from ..checks import as_lengths, flag, real_array, size
from ..quiet import without_errors
from ..typing import Array, ArrayLike
from .alignment import Alignment
from .arguments import Result, floats, sample_weights

__all__ = ["ctc"]


@overload
def ctc(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    blank: int = 0,
    *,
    zero_infinity: bool = False,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def ctc(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    blank: int = 0,
    *,
    zero_infinity: bool = False,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def ctc(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    blank: int = 0,
    *,
    zero_infinity: bool = False,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool,
) -> Result: ...


def ctc(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None = None,
    target_lengths: ArrayLike | None = None,
    blank: int = 0,
    *,
    zero_infinity: bool = False,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool = True,
) -> Result:
    """Mean of -log p(targets) per label, p summed over all ways to lay the labels along the steps.

    At each step the network says a label or the blank. A sequence of labels has all paths that give
    it when repeated labels are taken as one and blanks are left out; p is the sum of their
    probabilities (Graves et al., Connectionist temporal classification, ICML 2006). As in torch's
    ``ctc_loss``, each sequence's -log p is divided by the number of its labels, or by 1 if it has
    none, before the mean over sequences is taken.

    Parameters
    ----------
    logits : array_like, shape (T, B, V)
        Unnormalised log probabilities of the V labels, one of which is the blank. Log probabilities
        are logits, too. float64 stays float64; other real numbers become float32.
    targets : array_like of int, shape (B, S), or (sum of target_lengths,)
        Labels from 0 to V - 1, none of them the blank; padded, or one sequence behind the other.
        What stands in the padding is not looked at.
    input_lengths : array_like of int, (B,), optional
        The steps of each sequence, 0 to T; T where not given. What stands in `logits` after a
        sequence's end is not looked at, and its gradient is zero.
    target_lengths : array_like of int, (B,), optional
        The labels of each sequence; S where not given.
    blank : int
        The blank's number.
    zero_infinity : bool
        Whether a sequence that has no path, or none of a probability above 0, counts as a loss of 0
        with a gradient of zero; torch's. Else targets that need more steps than there are are
        refused.
    sample_weight : array_like, (B,), optional
        What each sequence counts for. Finite and at least 0, not all 0.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
        In nats.
    gradient : numpy.ndarray, shape (T, B, V), or None
        With respect to the logits: for each step softmax(logits) minus the probability, given the
        targets, that a path says this label there; divided like the loss. In the logits' dtype.

    Raises
    ------
    TypeError
        If `logits` or weights are not real numbers, or `targets` or lengths not integers.
    ValueError
        Naming the argument: if shapes do not fit, a label or a length is out of range, a target is
        the blank, the targets of a sequence need more steps than it has, or there is nothing to
        average.

    Notes
    -----
    The recursions run in the log domain in float64, over all sequences at once, forward and
    backward in one loop over time.

    Examples
    --------
    Two steps, a blank and one label: it is said at the first, at the second or at both, three of
    four paths.

    >>> loss, gradient = ctc(np.zeros((2, 1, 2)), [[1]])
    >>> round(float(np.exp(-loss)), 6), gradient[:, 0].round(4).tolist()
    (0.75, [[0.1667, -0.1667], [0.1667, -0.1667]])
    """
    x = floats("logits", logits)
    if x.ndim != 3 or x.shape[2] == 0:
        raise ValueError(f"logits: expected shape (T, B, V) with V at least 1, got {x.shape}")
    steps, batch, classes = x.shape
    if batch == 0:
        raise ValueError(f"logits: expected at least one sequence to average, got shape {x.shape}")
    if size("blank", blank, 0) >= classes:
        raise ValueError(f"blank: expected 0 to {classes - 1}, got {blank}")
    skips = flag("zero_infinity", zero_infinity)
    lengths = np.full(batch, steps)
    if input_lengths is not None:
        lengths = as_lengths("input_lengths", input_lengths, steps, batch)
    labels, counts = _labels(targets, target_lengths, batch)
    _check_labels(labels, counts, classes, int(blank))
    weights = np.ones(batch)
    if sample_weight is not None:
        weights = sample_weights(sample_weight, (batch,))
    if not skips:
        _check_room(labels, counts, np.where(weights > 0, lengths, np.inf))
    alignment = Alignment(labels, counts, lengths, int(blank))
    return _mean(x, alignment, weights, skips, with_gradient)


@without_errors
def _mean(
    x: np.ndarray, alignment: Alignment, weights: np.ndarray, skips: bool, with_gradient: bool
) -> Result:
    # Each row of x is shifted by its maximum; p is a row's e over its sum.
    shift = x.max(axis=2, keepdims=True)
    e = np.exp(x - shift)
    sums = e.sum(axis=2, dtype=np.float64, keepdims=True)
    log_sums = np.log(sums) + shift
    losses, said = alignment.run(x, log_sums, with_gradient)
    factors = weights / weights.sum() / np.maximum(alignment.counts, 1)
    counted = (weights > 0) & ~(skips & np.isposinf(losses))  # NaN counts, and is to be seen
    loss = float((losses * factors)[counted].sum())
    if said is None:
        return loss, None
    gradient = (e * (factors / sums[..., 0])[..., None]).astype(x.dtype)
    gradient -= said * factors[:, None]
    gradient[~alignment.valid] = 0
    gradient[:, ~counted] = 0
    return loss, gradient


def _labels(targets: Any, target_lengths: Any, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """(labels (B, S), counts (B,)): the labels of each sequence, and how many they are."""
    array = real_array("targets", targets)
    if array.size == 0 and not hasattr(targets, "dtype"):
        array = array.astype(np.int64)  # NumPy makes float64 of an empty list
    if array.dtype.kind not in "iu":
        raise TypeError(f"targets: expected integers, got an array of {array.dtype}")
    if array.ndim == 2 and array.shape[0] == batch:
        most = array.shape[1]
        if target_lengths is None:
            return array.astype(np.int64), np.full(batch, most)
        return array.astype(np.int64), as_lengths("target_lengths", target_lengths, most, batch)
    if array.ndim != 1:
        raise ValueError(
            f"targets: expected shape ({batch}, S) or (sum of target_lengths,), got {array.shape}"
        )
    if target_lengths is None:
        raise ValueError("target_lengths: expected those of targets (S,), got None")
    counts = as_lengths("target_lengths", target_lengths, array.size, batch)
    if counts.sum() != array.size:
        raise ValueError(
            f"target_lengths: expected a sum of {array.size}, as many as targets, got "
            f"{counts.sum()}"
        )
    labels = np.zeros((batch, int(counts.max())), np.int64)
    labels[np.arange(labels.shape[1]) < counts[:, None]] = array
    return labels, counts


def _check_labels(labels: np.ndarray, counts: np.ndarray, classes: int, blank: int) -> None:
    within = np.arange(labels.shape[1]) < counts[:, None]
    wrong = within & ((labels < 0) | (labels >= classes) | (labels == blank))
    if wrong.any():
        b, s = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"targets: expected labels from 0 to {classes - 1} other than the blank, {blank}, got "
            f"{labels[b, s]} as label {s} of sequence {b}"
        )
    labels[~within] = blank


def _check_room(labels: np.ndarray, counts: np.ndarray, lengths: np.ndarray) -> None:
    """Labels need a step each, and a blank between two that are equal."""
    within = np.arange(1, labels.shape[1]) < counts[:, None]
    repeats = ((labels[:, 1:] == labels[:, :-1]) & within).sum(axis=1)
    short = counts + repeats > lengths
    if short.any():
        b = int(np.argmax(short))
        raise ValueError(
            f"targets: the {counts[b]} labels of sequence {b}, {repeats[b]} of which repeat the "
            f"one before, need at least {counts[b] + repeats[b]} steps, got {int(lengths[b])}; "
            "zero_infinity=True leaves such sequences out"
        )
