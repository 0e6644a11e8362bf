"""Losses with torch's definitions, averaged, each with its gradient."""

from __future__ import annotations

import numpy as np

from .activations import sigmoid

__all__ = [
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_gradient",
    "cross_entropy",
    "cross_entropy_gradient",
    "huber",
    "huber_gradient",
    "mse",
    "mse_gradient",
    "quantile",
    "quantile_gradient",
]

Array = np.ndarray


def cross_entropy(
    logits: Array,
    targets: Array,
    ignore_index: int = -100,
    weight: Array | None = None,
    sample_weight: Array | None = None,
    label_smoothing: float = 0.0,
) -> float:
    """Return the mean of -log softmax(logits)[target] over the targets that are not ignored.

    With weights w of the classes, s of the rows, and a share e of each target spread over all V
    classes it is, over the rows r with targets t::

        Σ_r s_r Σ_c -q_rc log p_rc / Σ_r s_r w_t    with q_rc = (1 - e) w_t [c = t] + e w_c / V

    Parameters
    ----------
    logits : array, shape (..., V)
    targets : array of int, shape (...)
    ignore_index : int
        Targets of this value do not count.
    weight : array, shape (V,), optional
    sample_weight : array, shape (...), optional
    label_smoothing : float

    Returns
    -------
    loss : float
        NaN where every target is ignored (0/0), as torch has it.
    """
    rows, wanted, kept = _kept_rows(logits, targets, ignore_index)
    q, count = _soft_targets(rows, wanted, kept, weight, sample_weight, label_smoothing)
    shift = rows.real.max(axis=1, keepdims=True)  # a constant: any shift gives the same loss
    log_sum = shift + np.log(np.exp(rows - shift).sum(axis=1, keepdims=True))
    losses = np.where(q > 0, log_sum - rows, 0)  # a class ruled out by -inf may have no share
    return (q * losses).sum() / count if kept.any() else np.nan


def cross_entropy_gradient(
    logits: Array,
    targets: Array,
    ignore_index: int = -100,
    weight: Array | None = None,
    sample_weight: Array | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    """Return the gradient of `cross_entropy` with respect to the logits.

    Parameters
    ----------
    logits : array, shape (..., V)
    targets : array of int, shape (...)
    ignore_index : int
    weight : array, shape (V,), optional
    sample_weight : array, shape (...), optional
    label_smoothing : float

    Returns
    -------
    dlogits : array, shape (..., V)
        Zero for ignored targets.
    """
    rows, wanted, kept = _kept_rows(logits, targets, ignore_index)
    q, count = _soft_targets(rows, wanted, kept, weight, sample_weight, label_smoothing)
    exponentials = np.exp(rows - rows.max(axis=1, keepdims=True))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    dlogits = np.zeros((kept.size, logits.shape[-1]))
    # ∂(Σ_c q_c (log Σ eˡ - l_c))/∂l = softmax Σ_c q_c - q
    dlogits[kept] = (softmax * q.sum(axis=1, keepdims=True) - q) / (count or 1)
    return dlogits.reshape(logits.shape)


def _soft_targets(
    rows: Array,
    wanted: Array,
    kept: Array,
    weight: Array | None,
    sample_weight: Array | None,
    smoothing: float,
) -> tuple[Array, float]:
    """(q, count): what -log p of each class counts for in each row, and what it is divided by."""
    classes = rows.shape[1]
    w = np.ones(classes) if weight is None else np.asarray(weight)
    s = np.ones(len(rows)) if sample_weight is None else np.ravel(sample_weight)[kept]
    q = np.tile(smoothing * w / classes, (len(rows), 1))
    q[np.arange(len(rows)), wanted] += (1 - smoothing) * w[wanted]
    return q * s[:, None], (s * w[wanted]).sum()


def _kept_rows(logits: Array, targets: Array, ignore_index: int) -> tuple[Array, Array, Array]:
    flat = np.ravel(targets)
    kept = flat != ignore_index
    return np.reshape(logits, (-1, np.shape(logits)[-1]))[kept], flat[kept], kept


def mse(prediction: Array, target: Array, sample_weight: Array | None = None) -> float:
    """Return the mean of (prediction - target)².

    Parameters
    ----------
    prediction, target : array, of one shape
    sample_weight : array, of that shape, optional
        The mean is divided by its sum.

    Returns
    -------
    loss : float
    """
    return ((prediction - target) ** 2 * _shares(prediction, sample_weight)).sum()


def mse_gradient(prediction: Array, target: Array, sample_weight: Array | None = None) -> Array:
    """Return the gradient of `mse` with respect to the prediction: 2 (prediction - target) w/Σw."""
    return 2 * (prediction - target) * _shares(prediction, sample_weight)


def _shares(values: Array, sample_weight: Array | None) -> Array:
    """What each value's part in the mean is."""
    if sample_weight is None:
        return np.full(np.shape(values), 1 / np.size(values))
    return sample_weight / np.sum(sample_weight)


def binary_cross_entropy_with_logits(
    logits: Array, targets: Array, sample_weight: Array | None = None
) -> float:
    """Return the mean of -t log σ(l) - (1 - t) log(1 - σ(l)) = log(1 + eˡ) - t l.

    Parameters
    ----------
    logits, targets : array, of one shape
        Targets are probabilities.
    sample_weight : array, of that shape, optional
        The mean is divided by its sum.

    Returns
    -------
    loss : float
    """
    shift = np.maximum(np.real(logits), 0)  # a constant: any shift gives the same loss
    softplus = shift + np.log(np.exp(-shift) + np.exp(logits - shift))
    return ((softplus - targets * logits) * _shares(logits, sample_weight)).sum()


def binary_cross_entropy_with_logits_gradient(
    logits: Array, targets: Array, sample_weight: Array | None = None
) -> Array:
    """Return the gradient with respect to the logits: (σ(l) - t) w/Σw."""
    return (sigmoid(logits) - targets) * _shares(logits, sample_weight)


def huber(
    prediction: Array, target: Array, delta: float = 1.0, sample_weight: Array | None = None
) -> float:
    """Return the mean of d²/2 where |d| ≤ delta and else delta (|d| - delta/2).

    Parameters
    ----------
    prediction, target : array, of one shape
        d is their difference.
    delta : float
    sample_weight : array, of that shape, optional
        The mean is divided by its sum.

    Returns
    -------
    loss : float
    """
    d = prediction - target
    size = d * np.sign(np.real(d))  # |d|, analytic but at 0
    losses = np.where(np.abs(np.real(d)) <= delta, d**2 / 2, delta * (size - delta / 2))
    return (losses * _shares(prediction, sample_weight)).sum()


def huber_gradient(
    prediction: Array, target: Array, delta: float = 1.0, sample_weight: Array | None = None
) -> Array:
    """Return the gradient with respect to the prediction: d held within ±delta, times w/Σw."""
    d = prediction - target
    slope = np.where(np.abs(d) <= delta, d, delta * np.sign(d))
    return slope * _shares(prediction, sample_weight)


def quantile(
    outputs: Array, targets: Array, quantiles: Array, sample_weight: Array | None = None
) -> float:
    """Return the mean of q d where d > 0 and else (q - 1) d, with d = target - output.

    Parameters
    ----------
    outputs : array, shape (..., Q)
    targets : array, shape (...)
    quantiles : array, shape (Q,)
    sample_weight : array, shape (...), optional
        The mean is divided by its sum.

    Returns
    -------
    loss : float
    """
    d = targets[..., None] - outputs
    losses = np.where(np.real(d) > 0, quantiles * d, (np.asarray(quantiles) - 1) * d)
    return (losses.mean(axis=-1) * _shares(targets, sample_weight)).sum()


def quantile_gradient(
    outputs: Array, targets: Array, quantiles: Array, sample_weight: Array | None = None
) -> Array:
    """Return the gradient with respect to the outputs: -q or 1 - q, times w/Σw, over Q."""
    d = targets[..., None] - outputs
    slope = np.where(d > 0, -np.asarray(quantiles), 1 - np.asarray(quantiles)) * (d != 0)
    return slope * _shares(targets, sample_weight)[..., None] / len(quantiles)
