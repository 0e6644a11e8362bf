"""Losses of what forecasters give: quantiles of each target, and several forecasters at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import losses

__all__ = ["of_each", "pinball"]


def of_each(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Make a loss one of the outputs of several modules, (M, …), of the same targets.

    Its gradient is that of the sum, so that each module learns as if it were alone.
    """

    def each(outputs: Any, targets: Any, with_gradient: bool = True) -> Any:
        same = np.broadcast_to(targets, (len(outputs), *targets.shape))
        value, gradient = loss(outputs, same, with_gradient=with_gradient)
        return value, None if gradient is None else gradient * gradient.dtype.type(len(outputs))

    return each


def pinball(quantiles: Sequence[float]) -> Callable[..., Any]:
    """The loss of outputs (…, k·quantiles) against targets (…, k)."""

    def loss(outputs: np.ndarray, targets: np.ndarray, with_gradient: bool = True) -> Any:
        by_quantile = outputs.reshape(*targets.shape, len(quantiles))
        value, gradient = losses.quantile(
            by_quantile, targets, quantiles, with_gradient=with_gradient
        )
        return value, None if gradient is None else gradient.reshape(outputs.shape)

    return loss
