"""Linear forecasters beside networks, solved on the part that trains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..datasets.windowing import WindowBatches
from ..models import LinearForecaster
from ..nn import Module
from ..typing import Array

__all__ = [
    "MOST_WINDOWS",
    "RIDGES",
    "best_ridge",
    "outputs_of",
    "solve_linear",
    "targets_of",
    "weights_of",
]

# Penalties in units of the variance of an input, from none to one that leaves little.
RIDGES = (1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
#: So many windows tell some hundred weights well enough.
MOST_WINDOWS = 20_000


def best_ridge(model: LinearForecaster, train: WindowBatches, valid: WindowBatches) -> float:
    """Find the penalty whose equations, of the part that trains, forecast the other part best.

    Parameters
    ----------
    model : LinearForecaster
        It stays as it is.
    train, valid : WindowBatches

    Returns
    -------
    float
        One of `RIDGES`: that of the lowest mean absolute error, in which targets count as much as
        their weights say.
    """
    before = model.state_dict()
    x, y, future, _ = _windows(train)
    truth, weights, errors = targets_of(valid), weights_of(valid), []
    for equations in model.equations(x, y, future, RIDGES):
        model.use(equations)
        found = outputs_of(model, valid).reshape(*truth.shape, -1)
        missed = np.abs(found[..., 0] - truth)
        errors.append(float(np.average(missed, weights=weights)))
    model.load_state_dict(before)
    return RIDGES[int(np.argmin(errors))]


def solve_linear(
    model: LinearForecaster,
    train: WindowBatches,
    ridge: float,
    quantiles: Sequence[float] | None = None,
) -> None:
    """Set a linear forecaster's weights to those of least squares.

    Parameters
    ----------
    model : LinearForecaster
    train : WindowBatches
        At most 20,000 of its windows are looked at, at equal distances.
    ridge : float
        The penalty of the weights, in units of the variance of each input.
    quantiles : sequence of float, optional
        The outputs of each target. They lie beside the mean by the quantiles of the errors on
        `train`, for each step ahead, without those of targets of weight 0.

    Notes
    -----
    The equations have all targets of a window, whatever they weigh: one decomposition serves them
    all.
    """
    x, y, future, weights = _windows(train)
    equations = model.equations(x, y, future, (ridge,))[0]
    model.use(equations)
    if quantiles is not None:
        found = model(x, future).reshape(*y.shape, -1)[..., 0]
        errors, of_errors = y - found, np.quantile
        if weights is not None:  # a step of which nothing was there has the errors of all
            judged = weights > 0
            judged |= ~judged.any(axis=1, keepdims=True)
            errors, of_errors = np.where(judged, errors, np.nan), np.nanquantile
        beside = of_errors(errors, quantiles, axis=1)  # (Q, K, C)
        model.use(equations, np.moveaxis(beside, 0, -1))


def outputs_of(module: Module, batches: Iterable[Any]) -> Array:
    """A module's outputs for all batches, in their order; axis 1, or 2 of several, counts them.

    Parameters
    ----------
    module : Module
    batches : iterable
        As for a `Trainer`; in an order that does not change.
    """
    found = [module(*inputs) for inputs, *_ in batches]  # type: ignore[operator]
    return np.concatenate(found, axis=-2)


def targets_of(batches: Iterable[Any]) -> Array:
    """The targets of all batches, (horizon, N, K).

    Parameters
    ----------
    batches : iterable
        As for `outputs_of`.
    """
    return np.concatenate([targets for _, targets, *_ in batches], axis=1)


def weights_of(batches: Iterable[Any]) -> Array | None:
    """What the targets of all batches count for, (horizon, N, K); None where all count alike.

    Parameters
    ----------
    batches : iterable
        As for `outputs_of`.
    """
    told = [(targets, more[0] if more else None) for _, targets, *more in batches]
    if all(weight is None for _, weight in told):
        return None
    whole = [np.ones(y.shape) if weight is None else weight for y, weight in told]
    return np.concatenate(whole, axis=1)


def _windows(train: WindowBatches) -> tuple[Array, Array, Array | None, Array | None]:
    """Windows of all batches at once, or some of them: x, y, future, and weights of y."""
    count = len(train.origins)
    chosen = np.linspace(0, count - 1, min(count, MOST_WINDOWS)).astype(np.int64)
    batch: tuple[Any, ...] = train.batch(np.sort(train.origins)[chosen])
    (x, future), y = batch[:2]
    return x, y, future, batch[2] if len(batch) > 2 else None
