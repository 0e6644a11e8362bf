"""The task of ``train forecast``, and what its model says at an origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses
from ..runs.supervised_run import SupervisedRun
from .config import ForecastConfig
from .data import ForecastData
from .windows import WindowBatches

if TYPE_CHECKING:
    from ...models import Forecaster
    from ..counters import Counters

__all__ = ["ForecastTask", "forecast", "loss_of"]

# Windows that are forecast at once.
_BATCH = 256


class ForecastTask(SupervisedRun):
    """Trains a forecaster.

    Parameters
    ----------
    config
        The options.
    data
        The series.
    model
        A new Forecaster, or one that will be restored.
    """

    kind = "forecast"
    what = "series"
    config: ForecastConfig
    data: ForecastData
    model: Forecaster

    def __init__(self, config: ForecastConfig, data: ForecastData, model: Forecaster) -> None:
        about = data.meaning, config.difference
        batches = WindowBatches(data.rows, data.train_origins, *about, config.batch, config.seed)
        super().__init__(config, data, model, loss_of(config), batches)
        origins = data.valid_origins
        if origins.size:
            self.valid = WindowBatches(data.rows, origins, *about, _BATCH)
            self.validates = True

    def figures(self, counters: Counters) -> dict[str, Any]:
        """What is told beside the loss."""
        meaning = self.data.meaning
        return {
            "series": len(self.data.series),
            "rows": self.data.counts(),
            "frequency": str(meaning.frequency),
            "window": meaning.window,
            "horizon": meaning.horizon,
        }


def forecast(
    model: Forecaster, windows: WindowBatches, check: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Give the forecasts at the origins of windows.

    Parameters
    ----------
    model
        In evaluation mode.
    windows
        Not shuffled.
    check
        Called between batches.

    Returns
    -------
    numpy.ndarray
        (N, horizon, K, Q) float64, in the series' own units; the Q quantiles do not cross.
    """
    meaning, found = windows.meaning, []
    for chosen in windows.order(0):
        check()
        x, future, level = windows.inputs(chosen)
        y = model(x, future).reshape(meaning.horizon, len(chosen), meaning.targets, -1)
        found.append(y + level[..., None])
    scaled = np.sort(np.concatenate(found, axis=1).astype(np.float64), axis=-1)
    values = meaning.scaler.inverse(np.moveaxis(scaled, 2, -1))
    return np.moveaxis(values, (1, 3), (0, 2))


def loss_of(config: ForecastConfig) -> Callable[..., Any]:
    """The loss that the options name, of outputs (horizon, B, K·Q) and targets (horizon, B, K)."""
    if config.loss == "mse":
        return losses.mse
    if config.loss == "huber":
        return losses.huber
    # The mean absolute error is twice the pinball loss of the median.
    return _pinball(config.quantiles, 2.0 if config.loss == "mae" else 1.0)


def _pinball(quantiles: tuple[float, ...], times: float) -> Callable[..., Any]:
    def loss(outputs: np.ndarray, targets: np.ndarray, with_gradient: bool = True) -> Any:
        by_quantile = outputs.reshape(*targets.shape, len(quantiles))
        value, gradient = losses.quantile(
            by_quantile, targets, quantiles, with_gradient=with_gradient
        )
        return times * value, None if gradient is None else times * gradient.reshape(outputs.shape)

    return loss
