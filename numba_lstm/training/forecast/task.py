"""The task of ``train forecast``, and what its model says at an origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses
from ...distributed.group import Group
from ...models.forecast_losses import by_quantile, of_each, pinball
from ..runs.supervised_run import SupervisedRun
from ..windowed.rows import KnownWindows, WindowPasses
from .config import ForecastConfig
from .data import ForecastData

if TYPE_CHECKING:
    from ...models.combination import Together
    from ...nn import Module
    from ..counters import Counters

__all__ = ["ForecastTask", "forecast", "loss_of"]

# Windows that are forecast at once.
_BATCH = 256


class ForecastTask(SupervisedRun):
    """Trains the networks of a forecaster, all in one loop.

    Parameters
    ----------
    config
        The options.
    data
        The series.
    model
        New networks, or some that will be restored.
    group
        The ranks that share each batch.
    """

    kind = "forecast"
    what = "series"
    config: ForecastConfig
    data: ForecastData
    model: Together

    def __init__(
        self,
        config: ForecastConfig,
        data: ForecastData,
        model: Together,
        group: Group | None = None,
    ) -> None:
        rows, sizes = data.rows, data.meaning.sizes
        batches = WindowPasses(rows, data.train_origins, sizes, config.batch, config.seed)
        origins = data.valid_origins
        valid = WindowPasses(rows, origins, sizes, _BATCH) if origins.size else None
        super().__init__(config, data, model, of_each(loss_of(config)), batches, valid, group)

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
    model: Module, windows: KnownWindows, check: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Give the forecasts at the origins of windows.

    Parameters
    ----------
    model
        In evaluation mode.
    windows
        In whose order they are.
    check
        Called between batches.

    Returns
    -------
    numpy.ndarray
        (N, horizon, K, Q) float64, in the series' own units; the Q quantiles do not cross.

    Raises
    ------
    FloatingPointError
        When one is not finite: of weights that are, but too large.
    """
    found, size = [], windows.batch_size
    for at in range(0, len(windows.origins), size):
        check()
        chosen = windows.origins[at : at + size]
        inputs, *_ = windows.batch(chosen)
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            y: np.ndarray = model(*inputs)  # type: ignore[operator]
            scaled = by_quantile(y.astype(np.float64), windows.targets).swapaxes(0, 1)
            values = windows.rows.unscaled(scaled, chosen)
        if not np.isfinite(values).all():
            raise FloatingPointError("the model's forecasts are not finite")
        found.append(values)
    return np.concatenate(found)


def loss_of(config: ForecastConfig) -> Callable[..., Any]:
    """The loss that the options name, of outputs (horizon, B, K·Q) and targets (horizon, B, K)."""
    if config.loss == "mse":
        return losses.mse
    if config.loss == "huber":
        return losses.huber
    measure = pinball(config.quantiles)
    if config.loss == "quantile":
        return measure

    def mae(
        outputs: Any, targets: Any, with_gradient: bool = True, sample_weight: Any = None
    ) -> Any:
        # It is twice the pinball loss of the median.
        value, gradient = measure(outputs, targets, with_gradient, sample_weight)
        return 2.0 * value, None if gradient is None else 2.0 * gradient

    return mae
