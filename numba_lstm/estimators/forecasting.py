"""Forecasts of a network, block after block, and the loss of their quantiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import losses
from .base import ROWS

__all__ = ["checked_quantiles", "forecast", "median", "pinball"]


def forecast(
    module: Any, x: np.ndarray, future: np.ndarray | None, columns: int, steps: int
) -> np.ndarray:
    """Forecast what follows windows; beyond the network's horizon from its own forecasts.

    Parameters
    ----------
    module : models.Forecaster or models.Combination
    x : numpy.ndarray, (window, N, k + m)
        The windows, k columns that are forecast first, and m that are known ahead.
    future : numpy.ndarray, (steps, N, m), or None
        What is known of the steps ahead.
    columns : int
        k.
    steps : int
        A multiple of the network's horizon.

    Returns
    -------
    numpy.ndarray, (steps, N, k, quantiles)
    """
    horizon = module.horizon
    blocks = []
    for at in range(0, steps, horizon):
        known = None if future is None else future[at : at + horizon]
        block = _block(module, x, known).reshape(horizon, x.shape[1], columns, -1)
        blocks.append(block)
        if at + horizon < steps:
            rows = median(block)
            if known is not None:
                rows = np.concatenate([rows, known], axis=-1)
            x = np.concatenate([x, rows])[-len(x) :]
    return np.concatenate(blocks)


def _block(module: Any, x: np.ndarray, future: np.ndarray | None) -> np.ndarray:
    """The network's outputs (horizon, N, k·quantiles), of not too many windows at once."""
    parts = [slice(at, at + ROWS) for at in range(0, x.shape[1], ROWS)]
    return np.concatenate(
        [module(x[:, part], None if future is None else future[:, part]) for part in parts], axis=1
    )


def median(found: np.ndarray) -> np.ndarray:
    """Of a forecast (…, quantiles) the one in the middle."""
    return found[..., found.shape[-1] // 2]


def checked_quantiles(quantiles: Any) -> tuple[float, ...] | None:
    """Quantiles that rise, with as many below the median as above it.

    Raises
    ------
    ValueError
        Naming quantiles.
    """
    if quantiles is None:
        return None
    try:
        values = np.asarray(quantiles, np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    good = values.ndim == 1 and values.size % 2 == 1 and values[values.size // 2] == 0.5
    if not (good and (np.diff(values, prepend=0.0, append=1.0) > 0.0).all()):
        raise ValueError(
            "quantiles: expected numbers between 0 and 1 that rise, with 0.5 in the middle, "
            f"got {quantiles!r}"
        )
    return tuple(float(value) for value in values)


def pinball(quantiles: Sequence[float]) -> Callable[..., Any]:
    """The loss of outputs (…, k·quantiles) against targets (…, k)."""

    def loss(outputs: np.ndarray, targets: np.ndarray, with_gradient: bool = True) -> Any:
        by_quantile = outputs.reshape(*targets.shape, len(quantiles))
        value, gradient = losses.quantile(
            by_quantile, targets, quantiles, with_gradient=with_gradient
        )
        return value, None if gradient is None else gradient.reshape(outputs.shape)

    return loss
