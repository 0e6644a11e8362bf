"""The quantile loss, also called pinball loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from ..checks import as_float
from ..quiet import without_errors
from ..typing import Array, ArrayLike
from .arguments import Result, floats, sample_weights

__all__ = ["quantile"]


@overload
def quantile(
    outputs: ArrayLike,
    targets: ArrayLike,
    quantiles: Sequence[float],
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def quantile(
    outputs: ArrayLike,
    targets: ArrayLike,
    quantiles: Sequence[float],
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def quantile(
    outputs: ArrayLike,
    targets: ArrayLike,
    quantiles: Sequence[float],
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool,
) -> Result: ...


def quantile(
    outputs: ArrayLike,
    targets: ArrayLike,
    quantiles: Sequence[float],
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool = True,
) -> Result:
    """Mean of max(q d, (q - 1) d) over targets and quantiles, with d = target - output.

    What makes it smallest is the q-quantile of the targets (Koenker & Bassett, Regression
    quantiles, 1978). A model with an output for each of several quantiles gives intervals.

    Parameters
    ----------
    outputs : array_like, shape (..., Q)
        What is predicted for each of Q quantiles. float64 stays float64; other real numbers become
        float32.
    targets : array_like, shape (...)
        Cast to the outputs' dtype.
    quantiles : sequence of float, (Q,)
        Each above 0 and below 1.
    sample_weight : array_like, shape (...), optional
        What each target counts for. Finite and at least 0, not all 0.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
    gradient : numpy.ndarray, shape (..., Q), or None
        -q / size where the target is above the output, (1 - q) / size where it is below, 0 where
        they are equal; in the outputs' dtype.

    Raises
    ------
    TypeError
        If an argument is not real numbers.
    ValueError
        If the shapes do not fit, a quantile is not between 0 and 1, a weight is negative or not
        finite, or there is nothing to average.

    Examples
    --------
    >>> loss, gradient = quantile([[1.0, 3.0]], [2.0], [0.1, 0.9])
    >>> round(loss, 6), gradient.round(6).tolist()
    (0.1, [[-0.05, 0.05]])
    """
    q = _quantiles(quantiles)
    x = floats("outputs", outputs)
    if x.ndim == 0 or x.shape[-1] != q.size:
        raise ValueError(
            f"outputs: expected shape (..., {q.size}) for {q.size} quantiles, got {x.shape}"
        )
    t = as_float("targets", targets, x.dtype, shape=x.shape[:-1])
    if t.size == 0:
        raise ValueError(f"targets: expected at least one value to average, got shape {t.shape}")
    w = None if sample_weight is None else sample_weights(sample_weight, t.shape)
    return _pinball(x, t, q, w, with_gradient)


@without_errors
def _pinball(
    x: np.ndarray, t: np.ndarray, q: np.ndarray, w: np.ndarray | None, with_gradient: bool
) -> Result:
    d = t[..., None] - x
    share: Any = 1.0 / x.size
    if w is not None:
        counts = (w > 0)[..., None]
        d = np.where(counts, d, 0)
        share = (w / (w.sum() * q.size))[..., None]
    loss = float((np.maximum(q * d, (q - 1) * d) * share).sum())
    if not with_gradient:
        return loss, None
    # NaN is neither above nor below, and is to be seen in the gradient, too.
    slope = np.where(d > 0, -q, np.where(d < 0, 1 - q, d * 0))
    return loss, (slope * share).astype(x.dtype)


def _quantiles(quantiles: Any) -> np.ndarray:
    q = as_float("quantiles", quantiles, np.dtype(np.float64), shape=("Q",))
    if q.size == 0:
        raise ValueError("quantiles: expected at least one, got none")
    wrong = ~((q > 0) & (q < 1))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"quantiles: expected numbers between 0 and 1, got {q[place]} at index {place}"
        )
    return q
