"""The Huber loss."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from ..checks import positive
from ..typing import Array, ArrayLike
from .arguments import Result
from .pairs import weighted_mean

__all__ = ["huber"]


@overload
def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool,
) -> Result: ...


def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool = True,
) -> Result:
    """Mean of d²/2 where |d| ≤ delta and else delta (|d| - delta/2), with d = prediction - target.

    Quadratic for small errors and linear for large ones, so that an outlier pulls with a bounded
    force (Huber, Robust estimation of a location parameter, 1964). torch's ``huber_loss``.

    Parameters
    ----------
    prediction : array_like
        float64 stays float64; other real numbers become float32.
    target : array_like, of the shape of `prediction`
        Cast to its dtype. There is no broadcasting.
    delta : float
        Where it becomes linear, a number above 0.
    sample_weight : array_like, optional
        What each value counts for: of the shape of `prediction`, or without its last axis, whose
        values then share a weight. Finite and at least 0, not all 0.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
    gradient : numpy.ndarray or None
        d held within ±delta, over size, in the prediction's shape and dtype.

    Raises
    ------
    TypeError
        If an argument is not real numbers.
    ValueError
        If the shapes differ, delta is not above 0, a weight is negative or not finite, or there is
        nothing to average.

    Examples
    --------
    >>> loss, gradient = huber([0.5, 3.0], [0.0, 0.0])
    >>> loss, gradient.tolist()
    (1.3125, [0.25, 0.5])
    """
    bound = positive("delta", delta)

    def items(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        difference = p - t
        held = np.clip(difference, -bound, bound)
        return held * (difference - held / 2), held

    names, values = ("prediction", "target"), (prediction, target)
    return weighted_mean(items, names, values, sample_weight, with_gradient)
