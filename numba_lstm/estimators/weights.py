"""Weighted losses whose steps add up to the loss over all samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["unbiased"]


def unbiased(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Make batches count by their weights, where a loss divides by the sum of a batch's weights.

    A weighted loss is a mean over the batch's own weights, so that a batch without the heavy
    samples would count as much as one with them. Weights with a mean of 1 over all samples, times
    their mean in a batch, make the steps of a pass add up to the loss over all samples. The loss
    itself is given as it is; only the gradient is multiplied.

    Parameters
    ----------
    loss : callable
        ``loss(outputs, targets, sample_weight=, with_gradient=)``.

    Returns
    -------
    callable
        The same, for weights with a mean of 1; weights of zero are padding and do not count.
    """

    def weighted(
        outputs: Any, targets: Any, sample_weight: Any = None, with_gradient: bool = True
    ) -> tuple[float, Any]:
        if sample_weight is None:
            return loss(outputs, targets, with_gradient=with_gradient)
        value, gradient = loss(
            outputs, targets, sample_weight=sample_weight, with_gradient=with_gradient
        )
        if gradient is not None:
            mean = np.sum(sample_weight, dtype=np.float64) / np.count_nonzero(sample_weight)
            gradient = gradient * gradient.dtype.type(mean)
        return value, gradient

    return weighted
