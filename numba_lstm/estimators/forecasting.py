"""Forecasts of a network, block after block, and the loss of their quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models.forecast_losses import by_quantile, median
from .base import ROWS

__all__ = ["checked_quantiles", "forecast"]


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
        The quantiles do not cross.
    """
    horizon = module.horizon
    blocks = []
    for at in range(0, steps, horizon):
        known = None if future is None else future[at : at + horizon]
        block = by_quantile(_block(module, x, known), columns)
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
