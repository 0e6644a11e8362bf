"""The mean squared error."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from ..typing import Array, ArrayLike
from .arguments import Result, kernels, pair
from .pairs import mean_by_kernel, weighted_mean

__all__ = ["mse"]


@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool,
) -> Result: ...


def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    with_gradient: bool = True,
) -> Result:
    """Mean of (prediction - target)².

    Parameters
    ----------
    prediction : array_like
        float64 stays float64; other real numbers become float32.
    target : array_like, of the shape of `prediction`
        Cast to its dtype. There is no broadcasting.
    sample_weight : array_like, optional
        What each value counts for: of the shape of `prediction`, or without its last axis, whose
        values then share a weight. Finite and at least 0, not all 0.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
    gradient : numpy.ndarray or None
        2 (prediction - target) / size, in the prediction's shape and dtype.

    Raises
    ------
    TypeError
        If an argument is not real numbers.
    ValueError
        If the shapes differ, a weight is negative or not finite, or there is nothing to average.

    Examples
    --------
    >>> loss, gradient = mse([1.0, 2.0], [0.0, 2.0])
    >>> loss, gradient.tolist()
    (0.5, [1.0, 0.0])
    >>> mse([1.0, 2.0], [0.0, 0.0], sample_weight=[3, 1])[0]
    1.75
    """
    if sample_weight is None:
        x, t = pair("prediction", prediction, "target", target)
        return mean_by_kernel(kernels().mse, 2.0, x, t, with_gradient)
    names, values = ("prediction", "target"), (prediction, target)
    return weighted_mean(_items, names, values, sample_weight, with_gradient)


def _items(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    difference = prediction - target
    return difference * difference, 2 * difference
