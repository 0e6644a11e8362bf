"""Several forecasters as one: their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import as_cotangent, as_float, size
from ..nn import Module, ModuleList, Parameter
from ..nn.pullback import once
from ..typing import Array, ArrayLike
from .steps_ahead import ForecastPullback

__all__ = ["Combination", "Together", "combination_weights"]

Loss = Callable[..., Any]


class Together(Module):
    """The outputs of several modules of the same inputs, on a new first axis.

    With a loss that is a mean over it the modules are trained beside each other, in one loop.

    Parameters
    ----------
    members : sequence of Module
        Of one signature and output shape.
    """

    def __init__(self, members: Sequence[Module]) -> None:
        self.members = ModuleList(list(members))
        size("members", len(self.members))

    def __call__(self, *inputs: Any) -> Array:
        """Compute the outputs, (M, …).

        Parameters
        ----------
        *inputs
            What each member takes.
        """
        return np.stack([member(*inputs) for member in self.members])  # type: ignore[operator]

    def vjp(self, *inputs: Any) -> tuple[Array, Any]:
        """Compute what `__call__` does, and a pullback ``(dy (M, …)) -> dx, dfuture``.

        Parameters
        ----------
        *inputs
            What each member takes.
        """
        pairs: list[Any] = [member.vjp(*inputs) for member in self.members]  # type: ignore[operator]
        outputs = np.stack([y for y, _ in pairs])
        shape, dtype = outputs.shape, outputs.dtype

        def pullback(dy: Any) -> Any:
            dy = as_cotangent("dy", dy, dtype, shape)
            return _sum([back(d) for (_, back), d in zip(pairs, dy)])

        return outputs, once(pullback)


class Combination(Module):
    """A weighted sum of forecasters, ``y = Σ weights[m] · members[m](x, future)``.

    Forecasts of different models, put together, are most often better than the best of them, and
    seldom worse (Bates and Granger, 1969).

    Parameters
    ----------
    members : sequence of Module
        M forecasters of one signature and output shape, such as a `Forecaster` and a
        `LinearForecaster`.
    weights : array_like, (M,), optional
        1 / M where not given. `combination_weights` finds them.

    Attributes
    ----------
    members : ModuleList
    weights : Parameter, (M,)

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> from numba_lstm.models import Forecaster, LinearForecaster
    >>> both = Combination(
    ...     [Forecaster(1, 8, 1, horizon=3, seed=0), LinearForecaster(1, 1, 3, window=10, seed=0)]
    ... )
    >>> both(np.ones((10, 4, 1))).shape, both.weights.numpy().tolist()
    ((3, 4, 1), [0.5, 0.5])
    """

    def __init__(self, members: Sequence[Module], weights: ArrayLike | None = None) -> None:
        self.members = ModuleList(list(members))
        count = size("members", len(self.members))
        dtype = getattr(self.members[0], "dtype", np.dtype(np.float32))
        given = np.full(count, 1 / count) if weights is None else weights
        self.weights = Parameter(as_float("weights", given, dtype, shape=(count,)))

    @property
    def horizon(self) -> int:
        """K, the steps ahead."""
        return self.members[0].horizon  # type: ignore[attr-defined, no-any-return]

    def __call__(
        self, x: ArrayLike, future: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> Array:
        """Compute the forecast and keep nothing.

        Parameters
        ----------
        x, future, lengths
            As for a `Forecaster`.

        Returns
        -------
        numpy.ndarray
            As a `Forecaster` gives.
        """
        outputs = [member(x, future, lengths) for member in self.members]  # type: ignore[operator]
        return np.tensordot(self.weights.numpy(), np.stack(outputs), 1)

    def vjp(
        self, x: ArrayLike, future: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, ForecastPullback]:
        """Compute what `__call__` does, and a pullback.

        Parameters
        ----------
        x, future, lengths
            As for a `Forecaster`.

        Returns
        -------
        y : numpy.ndarray
        pullback : callable
            ``pullback(dy) -> dx, dfuture``, as that of a `Forecaster`.
        """
        pairs: list[Any] = [
            member.vjp(x, future, lengths)  # type: ignore[operator]
            for member in self.members
        ]
        outputs, weights = np.stack([y for y, _ in pairs]), self.weights.numpy().copy()
        total = np.tensordot(weights, outputs, 1)
        shape, dtype = total.shape, total.dtype

        def pullback(dy: Any) -> Any:
            dy = as_cotangent("dy", dy, dtype, shape)
            self.weights.add_grad(np.tensordot(outputs, dy, dy.ndim))
            return _sum([back(weight * dy) for (_, back), weight in zip(pairs, weights)])

        return total, once(pullback)


def combination_weights(
    forecasts: ArrayLike, truth: ArrayLike, loss: Loss | None = None, rounds: int = 20
) -> Array:
    """Find weights with which forecasts of a time that they have not seen are best.

    Ensemble selection (Caruana et al., 2004): again and again the forecast is added whose mean with
    those chosen before has the lowest loss. The weights are shares of the rounds; they are not
    negative, sum to 1 and stay coarse, since the part that chooses them is small as a rule.

    Parameters
    ----------
    forecasts : array_like, (M, …)
        Of M forecasters.
    truth : array_like, (…)
        What came.
    loss : callable, optional
        ``loss(forecast, truth)`` gives a number; by default the mean absolute error.
    rounds : int
        How often one is added.

    Returns
    -------
    numpy.ndarray of float64, (M,)

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> truth = np.array([1.0, 2.0, 3.0])
    >>> combination_weights([truth + 1, truth - 1, truth + 9], truth).tolist()
    [0.5, 0.5, 0.0]
    """
    float64 = np.dtype(np.float64)
    true = as_float("truth", truth, float64)
    given = as_float("forecasts", forecasts, float64, ndim=None)
    if given.ndim < 1 or not len(given) or (loss is None and given.shape[1:] != true.shape):
        raise ValueError(
            f"forecasts: expected shape (M, {', '.join(map(str, true.shape))}), got {given.shape}"
        )
    measure = _mean_absolute if loss is None else loss
    counts, total = np.zeros(len(given)), np.zeros(given.shape[1:])
    for done in range(1, size("rounds", rounds) + 1):
        values = [measure((total + one) / done, true) for one in given]
        best = int(np.argmin(values))
        counts[best] += 1
        total += given[best]
    return counts / counts.sum()


def _mean_absolute(forecast: Array, truth: Array) -> float:
    return float(np.abs(forecast - truth).mean())


def _sum(cotangents: list[Any]) -> Any:
    """The sum of what several pullbacks gave for the same inputs, (dx, dfuture) each."""
    dx = np.sum([dx for dx, _ in cotangents], axis=0)
    futures = [dfuture for _, dfuture in cotangents]
    return dx, None if futures[0] is None else np.sum(futures, axis=0)
