"""Cross entropy of logits and class numbers."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from .. import checks, quiet
from ..threads import threads_for
from ..typing import Array, ArrayLike
from .arguments import WORK, Result, as_weights, floats, kernels, sample_weights

__all__ = ["cross_entropy"]


@overload
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    with_gradient: bool,
) -> Result: ...


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    with_gradient: bool = True,
) -> Result:
    """Mean of -log softmax(logits)[target] over the targets that are not ignored.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Unnormalised log probabilities. float64 stays float64; other real numbers become float32. An
        infinite or NaN logit gives what torch gives: -inf is a class ruled out, +inf and NaN make
        the loss NaN.
    targets : array_like of int, shape (...)
        Class indices, each 0 ≤ target < V or `ignore_index`.
    ignore_index : int
        Targets of this value do not count, and their gradients are zero.
    weight : array_like, shape (V,), optional
        What each class counts for where it is the target; torch's. Finite and at least 0.
    sample_weight : array_like, shape (...), optional
        What each target counts for; with `weight` the two are multiplied. Finite and at least 0,
        not all 0.
    label_smoothing : float
        From 0 to 1, torch's: this share of each target is spread over all V classes, in which
        `weight` counts as the weight of each (Szegedy et al., 2016).
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
        In nats.
    gradient : numpy.ndarray, shape (..., V), or None
        (softmax(logits) - onehot(target)) / count, in the logits' dtype. With weights each row's
        is multiplied by that of its target, and count is their sum.

    Raises
    ------
    TypeError
        If `logits` or weights are not real numbers, or `targets` or `ignore_index` not integers.
    ValueError
        If the shapes do not fit, a target or `label_smoothing` is out of range, a weight is
        negative or not finite, or no target counts: the mean of nothing would be NaN.

    Examples
    --------
    >>> loss, gradient = cross_entropy([[0.0, 0.0]], [1])
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [[0.5, -0.5]])
    >>> loss, gradient = cross_entropy([[0.0, 0.0], [0.0, 9.0]], [1, 1], sample_weight=[1, 0])
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [[0.5, -0.5], [0.0, 0.0]])
    """
    x = floats("logits", logits)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"logits: expected shape (..., V) with V at least 1, got {x.shape}")
    rows, found = x.shape[:-1], _class_targets(targets, x.shape, ignore_index)
    smoothing = checks.probability("label_smoothing", label_smoothing)
    if weight is None and sample_weight is None and smoothing == 0:
        count = int(np.count_nonzero(found >= 0))
        row_losses, gradient = _rows(x, found, 1.0 / count, with_gradient)
        return quiet.total(row_losses) / count, gradient
    by_row = np.ones(found.size)
    if sample_weight is not None:
        by_row = sample_weights(sample_weight, rows).reshape(-1)
    by_class = None
    if weight is not None:
        by_class = as_weights("weight", weight)
        if by_class.shape != x.shape[-1:]:
            raise ValueError(f"weight: expected shape {x.shape[-1:]}, got {by_class.shape}")
    # What has no weight is not looked at, like what is ignored.
    by_row = np.where(found >= 0, by_row, 0)
    found = np.where(by_row > 0, found, -1)
    return _weighted(x, found, by_row, by_class, smoothing, with_gradient)


def _rows(
    x: np.ndarray, targets: np.ndarray, factor: float, with_gradient: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Each row's loss, and factor (softmax - onehot); of a row with a negative target zeros."""
    classes, nt = x.shape[-1], threads_for(x.size * WORK)
    gradient = np.empty(x.shape if with_gradient else (nt, classes), x.dtype)
    losses = np.empty(targets.size, np.float64)
    kernels().cross_entropy(
        nt,
        x.reshape(-1, classes),
        targets,
        factor,
        bool(with_gradient),
        gradient.reshape(-1, classes),
        losses,
        kernels().ones[x.dtype],
    )
    return losses, gradient if with_gradient else None


@quiet.without_errors
def _weighted(
    x: np.ndarray,
    targets: np.ndarray,
    by_row: np.ndarray,
    by_class: np.ndarray | None,
    smoothing: float,
    with_gradient: bool,
) -> Result:
    """Rows r with weights s, classes c with weights w, and a share e of each target smoothed.

    A row's loss is -s Σ_c q_c log p_c with q = (1 - e) w_target onehot + e w / V, where p is its
    softmax. The kernel gives -log p_target and p - onehot, from which follow ::

        loss     = s [(1 - e) w_target (-log p_target) + e mean_c(-w_c log p_c)]
        gradient = s [(p - onehot) Q + onehot e mean(w) - e w / V]    with Q = Σ_c q_c

    Both are divided by the sum of s w_target.
    """
    classes = x.shape[-1]
    kept = np.flatnonzero(targets >= 0)
    wanted, s = targets[kept], by_row[kept]
    w_target = np.ones(kept.size) if by_class is None else by_class[wanted]
    count = float((s * w_target).sum())
    if count == 0:
        raise ValueError("weight: expected a class above 0 among the targets that count, got none")
    s = s / count
    losses, gradient = _rows(x, targets, 1.0, with_gradient)
    row_losses, hard = losses[kept], (1 - smoothing) * w_target
    loss = s * hard * row_losses
    if smoothing == 0:
        if gradient is not None:
            factors = np.zeros(targets.size)
            factors[kept] = s * hard
            gradient *= factors.astype(x.dtype).reshape(*x.shape[:-1], 1)
        return float(loss.sum()), gradient
    w = np.ones(classes) if by_class is None else by_class
    log_p = x.reshape(-1, classes)[kept].astype(np.float64)
    log_p -= log_p.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    loss = loss - s * smoothing * (log_p * w).mean(axis=1)
    if gradient is not None:
        every = gradient.reshape(-1, classes)
        of_kept = every[kept] * (s * (hard + smoothing * w.mean()))[:, None]
        of_kept -= s[:, None] * (smoothing * w / classes)
        of_kept[np.arange(kept.size), wanted] += s * smoothing * w.mean()
        every[kept] = of_kept
    return float(loss.sum()), gradient


def _class_targets(targets: Any, shape: tuple[int, ...], ignore_index: int) -> np.ndarray:
    """The flat targets, -1 where they are ignored; `shape` is the logits'."""
    classes = shape[-1]
    ignored = _equal(targets, ignore_index)
    if ignored is None:
        tokens = checks.as_tokens("targets", targets, classes)
        some = tokens.size > 0
    else:
        tokens = checks.as_tokens("targets", np.where(ignored, 0, targets), classes)
        tokens[ignored] = -1
        some = not ignored.all()
    if tokens.shape != shape[:-1]:
        raise ValueError(
            f"targets: expected shape {shape[:-1]} to fit the logits' {shape}, got {tokens.shape}"
        )
    if not some:
        what = "none" if tokens.size == 0 else f"all are ignore_index ({ignore_index})"
        raise ValueError(f"targets: expected at least one target that counts, got {what}")
    return tokens.reshape(-1)


def _equal(targets: Any, ignore_index: int) -> np.ndarray | None:
    """A mask of the targets to ignore, or None if there are none."""
    if isinstance(ignore_index, (bool, np.bool_)) or not isinstance(
        ignore_index, (int, np.integer)
    ):
        raise TypeError(f"ignore_index: expected an integer, got {ignore_index!r}")
    array = checks.real_array("targets", targets)
    if array.dtype.kind not in "iu":
        return None  # `as_tokens` refuses it with its own message
    ignored = array == int(ignore_index)
    return ignored if ignored.any() else None
