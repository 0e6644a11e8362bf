"""Losses with torch's definitions, averaged, each with its gradient."""

from __future__ import annotations

import numpy as np

from .activations import sigmoid

__all__ = [
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_gradient",
    "cross_entropy",
    "cross_entropy_gradient",
    "mse",
    "mse_gradient",
]

Array = np.ndarray


def cross_entropy(logits: Array, targets: Array, ignore_index: int = -100) -> float:
    """Return the mean of -log softmax(logits)[target] over the targets that are not ignored.

    Parameters
    ----------
    logits : array, shape (..., V)
    targets : array of int, shape (...)
    ignore_index : int
        Targets of this value do not count.

    Returns
    -------
    loss : float
        NaN where every target is ignored (0/0), as torch has it.
    """
    rows, wanted, kept = _kept_rows(logits, targets, ignore_index)
    shift = rows.real.max(axis=1, keepdims=True)  # a constant: any shift gives the same loss
    log_sum = shift[:, 0] + np.log(np.exp(rows - shift).sum(axis=1))
    losses = log_sum - rows[np.arange(len(rows)), wanted]
    return losses.sum() / kept.sum() if kept.any() else np.nan


def cross_entropy_gradient(logits: Array, targets: Array, ignore_index: int = -100) -> Array:
    """Return the gradient of `cross_entropy` with respect to the logits.

    Parameters
    ----------
    logits : array, shape (..., V)
    targets : array of int, shape (...)
    ignore_index : int

    Returns
    -------
    dlogits : array, shape (..., V)
        Zero for ignored targets.
    """
    rows, wanted, kept = _kept_rows(logits, targets, ignore_index)
    exponentials = np.exp(rows - rows.max(axis=1, keepdims=True))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    softmax[np.arange(len(rows)), wanted] -= 1  # ∂(log Σ eˡ - l_target)/∂l = softmax - onehot
    dlogits = np.zeros((kept.size, logits.shape[-1]))
    dlogits[kept] = softmax / max(kept.sum(), 1)
    return dlogits.reshape(logits.shape)


def _kept_rows(logits: Array, targets: Array, ignore_index: int) -> tuple[Array, Array, Array]:
    flat = np.ravel(targets)
    kept = flat != ignore_index
    return np.reshape(logits, (-1, np.shape(logits)[-1]))[kept], flat[kept], kept


def mse(prediction: Array, target: Array) -> float:
    """Return the mean of (prediction - target)².

    Parameters
    ----------
    prediction, target : array, of one shape

    Returns
    -------
    loss : float
    """
    return ((prediction - target) ** 2).mean()


def mse_gradient(prediction: Array, target: Array) -> Array:
    """Return the gradient of `mse` with respect to the prediction: 2 (prediction - target) / n."""
    return 2 * (prediction - target) / np.size(prediction)


def binary_cross_entropy_with_logits(logits: Array, targets: Array) -> float:
    """Return the mean of -t log σ(l) - (1 - t) log(1 - σ(l)) = log(1 + eˡ) - t l.

    Parameters
    ----------
    logits, targets : array, of one shape
        Targets are probabilities.

    Returns
    -------
    loss : float
    """
    shift = np.maximum(np.real(logits), 0)  # a constant: any shift gives the same loss
    softplus = shift + np.log(np.exp(-shift) + np.exp(logits - shift))
    return (softplus - targets * logits).mean()


def binary_cross_entropy_with_logits_gradient(logits: Array, targets: Array) -> Array:
    """Return the gradient with respect to the logits: (σ(l) - t) / n."""
    return (sigmoid(logits) - targets) / np.size(logits)
