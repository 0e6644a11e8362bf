"""Linear forecasters beside networks, solved on the part that trains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..datasets.windowing import WindowBatches
from ..models import LinearForecaster
from ..nn import Module
from ..typing import Array

__all__ = ["MOST_WINDOWS", "RIDGES", "best_ridge", "outputs_of", "solve_linear", "targets_of"]

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
        One of `RIDGES`: that of the lowest mean absolute error.
    """
    before = model.state_dict()
    x, y, future = _windows(train)
    truth, errors = targets_of(valid), []
    for equations in model.equations(x, y, future, RIDGES):
        model.use(equations)
        found = outputs_of(model, valid).reshape(*truth.shape, -1)
        errors.append(float(np.abs(found[..., 0] - truth).mean()))
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
        `train`, for each step ahead.
    """
    x, y, future = _windows(train)
    equations = model.equations(x, y, future, (ridge,))[0]
    model.use(equations)
    if quantiles is not None:
        found = model(x, future).reshape(*y.shape, -1)[..., 0]
        beside = np.quantile(y - found, quantiles, axis=1)  # (Q, K, C)
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


def _windows(train: WindowBatches) -> tuple[Array, Array, Array | None]:
    """Windows of all batches at once, or some of them: x, y and future."""
    count = len(train.origins)
    chosen = np.linspace(0, count - 1, min(count, MOST_WINDOWS)).astype(np.int64)
    (x, future), y = train.batch(np.sort(train.origins)[chosen])
    return x, y, future
