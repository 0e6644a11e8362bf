"""What losses of a prediction and a target of one shape share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import quiet
from ..threads import threads_for
from .arguments import WORK, Result, kernels, pair, sample_weights

__all__ = ["mean_by_kernel", "weighted_mean"]

# (prediction, target) -> the loss of each, and its derivative by the prediction.
Items = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def mean_by_kernel(
    run: Any, slope: float, x: np.ndarray, t: np.ndarray, with_gradient: bool
) -> Result:
    """Run a loss of pairs over flat arrays; `slope` is a factor of its gradient."""
    gradient = np.empty(x.shape, x.dtype)
    block_losses = np.empty(-(-x.size // kernels().BLOCK), np.float64)
    nt = threads_for(x.size * WORK)
    factor = slope * (1.0 / x.size)
    run(
        nt, x.reshape(-1), t.reshape(-1), factor, gradient.reshape(-1), block_losses,
        kernels().ones[x.dtype],
    )  # fmt: skip
    return quiet.total(block_losses) / x.size, gradient if with_gradient else None


@quiet.without_errors
def weighted_mean(
    items: Items, names: tuple[str, str], values: tuple[Any, Any], weight: Any, with_gradient: bool
) -> Result:
    """Σ w loss / Σ w over all pairs; `weight` None is 1 for each.

    What has the weight 0 is put to 0 before anything is computed.
    """
    x, t = pair(names[0], values[0], names[1], values[1])
    if weight is None:
        losses, slopes = items(x, t)
        loss = float(losses.sum(dtype=np.float64)) / x.size
        return loss, np.asarray(slopes / x.dtype.type(x.size)) if with_gradient else None
    w = sample_weights(weight, x.shape, whole=False)
    counts = w > 0
    losses, slopes = items(np.where(counts, x, 0), np.where(counts, t, 0))
    w = w / w.sum()
    loss = float((losses * w).sum())
    return loss, np.asarray(slopes * w, x.dtype) if with_gradient else None
