"""What forecasters give: quantiles of each target; their losses, and those of several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import losses

__all__ = ["by_quantile", "median", "of_each", "pinball"]


def of_each(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Make a loss one of the outputs of several modules, (M, …), of the same targets.

    Its gradient is that of the sum, so that each module learns as if it were alone.
    """

    def each(
        outputs: Any, targets: Any, with_gradient: bool = True, sample_weight: Any = None
    ) -> Any:
        more = {}
        if sample_weight is not None:
            more["sample_weight"] = np.broadcast_to(sample_weight, (len(outputs), *targets.shape))
        same = np.broadcast_to(targets, (len(outputs), *targets.shape))
        value, gradient = loss(outputs, same, with_gradient=with_gradient, **more)
        return value, None if gradient is None else gradient * gradient.dtype.type(len(outputs))

    return each


def pinball(quantiles: Sequence[float]) -> Callable[..., Any]:
    """The loss of outputs (…, k·quantiles) against targets (…, k)."""

    def loss(
        outputs: np.ndarray,
        targets: np.ndarray,
        with_gradient: bool = True,
        sample_weight: Any = None,
    ) -> Any:
        value, gradient = losses.quantile(
            outputs.reshape(*targets.shape, len(quantiles)),
            targets,
            quantiles,
            sample_weight=sample_weight,
            with_gradient=with_gradient,
        )
        return value, None if gradient is None else gradient.reshape(outputs.shape)

    return loss


def by_quantile(outputs: np.ndarray, columns: int) -> np.ndarray:
    """A network's outputs (…, k·quantiles) as (…, k, quantiles), in order: they do not cross.

    The one in the middle is the median only after that.
    """
    return np.sort(outputs.reshape(*outputs.shape[:-1], columns, -1), axis=-1)


def median(found: np.ndarray) -> np.ndarray:
    """Of a forecast (…, quantiles) the one in the middle."""
    return found[..., found.shape[-1] // 2]
