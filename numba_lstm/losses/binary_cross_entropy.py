"""Binary cross entropy of logits."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from ..typing import Array, ArrayLike
from .arguments import Result, kernels, pair
from .pairs import mean_by_kernel, weighted_mean

__all__ = ["binary_cross_entropy_with_logits"]


@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool,
) -> Result: ...


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool = True,
) -> Result:
    """Mean of -t log σ(x) - (1 - t) log(1 - σ(x)), in a form that overflows for no logit x.

    Parameters
    ----------
    logits : array_like
        float64 stays float64; other real numbers become float32.
    targets : array_like, of the shape of `logits`
        Probabilities, 0 and 1 included. Cast to the logits' dtype. There is no broadcasting.
    sample_weight : array_like, optional
        What each value counts for: of the shape of `logits`, or without its last axis, whose values
        then share a weight. Finite and at least 0, not all 0.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
    gradient : numpy.ndarray or None
        (σ(logits) - targets) / size, in the logits' shape and dtype.

    Raises
    ------
    TypeError
        If an argument is not real numbers.
    ValueError
        If the shapes differ, a weight is negative or not finite, or there is nothing to average.

    Examples
    --------
    >>> loss, gradient = binary_cross_entropy_with_logits([0.0], [1.0])
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [-0.5])
    """
    if sample_weight is None:
        x, t = pair("logits", logits, "targets", targets)
        return mean_by_kernel(kernels().binary_cross_entropy, 1.0, x, t, with_gradient)
    names, values = ("logits", "targets"), (logits, targets)
    return weighted_mean(_items, names, values, sample_weight, with_gradient)


def _items(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import expit

    return np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x))), expit(x) - t
