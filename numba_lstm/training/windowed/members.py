"""The forecasters that are put together: how they are made, solved, judged and weighed.

Networks are trained together, each as if it were alone. The linear forecasters are solved on the
rows that train; what validates finds their penalty, and the weight of each kind in the forecast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...models import Forecaster, LinearForecaster, combination_weights
from ...models.forecast_losses import by_quantile, median, pinball
from ...models.members import Members
from ...typing import DTypeLike, Seed
from ..linear_forecasts import best_ridge, outputs_of, solve_linear, targets_of, weights_of
from .rows import KnownWindows, Sizes

__all__ = ["Judge", "alike", "make_members", "read_by_lines", "solve"]

# The penalty of linear forecasters where nothing validates.
_RIDGE = 0.1


def read_by_lines(sizes: Sizes, linear: bool) -> tuple[int, ...]:
    """How many columns each linear forecaster of a kind reads; none where there are to be none.

    Those of the targets alone have fewer weights, which may be better told.
    """
    if not linear:
        return ()
    width, targets = sizes.columns, sizes.targets
    return (width, targets) if width > targets + sizes.known else (width,)


def make_members(
    sizes: Sizes,
    kinds: Sequence[str | None],
    seeds: Iterator[Seed],
    *,
    hidden: Any,
    count: int,
    quantiles: int,
    linear: bool,
    dtype: DTypeLike | None = None,
    **network: Any,
) -> Members:
    """Make networks to be trained, and linear forecasters to be solved.

    Parameters
    ----------
    sizes
        What they read and give.
    kinds
        Of `normalize`.
    seeds
        One for each network.
    hidden
        The units of the recurrent layers.
    count
        Networks of each kind.
    quantiles
        Outputs of each target.
    linear
        Whether there are linear forecasters.
    dtype, network
        Options of `models.Forecaster`, ``cell`` among them.
    """
    outputs, horizon = sizes.targets * quantiles, sizes.horizon
    common = {"future_size": sizes.known, "targets": sizes.targets, "dtype": dtype}
    networks: dict[str, list[Forecaster]] = {}
    lines = {}
    for kind in kinds:
        suffix = "" if kind is None else f" {kind}"
        about: dict[str, Any] = {**common, "normalize": kind}
        networks[f"{network['cell']}{suffix}"] = [
            Forecaster(
                sizes.columns, hidden, outputs, horizon, **network, **about, seed=next(seeds)
            )
            for _ in range(count)
        ]
        for reads in read_by_lines(sizes, linear):
            alone = " alone" if reads < sizes.columns else ""
            lines[f"linear{suffix}{alone}"] = LinearForecaster(
                sizes.columns, outputs, horizon, sizes.window, reads=reads, seed=0, **about
            )
    return Members(networks, lines)


def solve(
    members: Members,
    train: KnownWindows,
    valid: KnownWindows | None,
    quantiles: Sequence[float] | None,
    ridges: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Solve the linear forecasters on what trains; their penalties.

    Parameters
    ----------
    members
        The forecasters.
    train, valid
        Windows that train, and those that find the penalties, if there are some.
    quantiles
        Those that are learnt; None where none are.
    ridges
        The penalties, where they are known.
    """
    found = {}
    for name, line in members.lines.items():
        if ridges is not None:
            found[name] = ridges[name]
        else:
            found[name] = _RIDGE if valid is None else best_ridge(line, train, valid)
        solve_linear(line, train, found[name], quantiles)
    return found


def alike(names: Collection[str]) -> dict[str, float]:
    """Weights that are the same for all."""
    return {name: 1.0 / len(names) for name in names}


class Judge:
    """How well each kind of forecaster forecasts what validates.

    What was filled is not judged.

    Parameters
    ----------
    members
        The forecasters, trained and solved on what comes before.
    valid
        Windows that validate, in an order that does not change.
    quantiles
        Those that are learnt; None where none are.
    """

    def __init__(
        self, members: Members, valid: KnownWindows, quantiles: Sequence[float] | None
    ) -> None:
        self.truth, real = targets_of(valid), weights_of(valid)
        self._real = None if real is None else real > 0
        self._loss = None if quantiles is None else pinball(quantiles)
        self.forecasts = {
            name: np.mean([outputs_of(one.eval(), valid) for one in group], axis=0)
            for name, group in members.groups.items()
        }

    def weights(self, names: Collection[str] | None = None) -> dict[str, float]:
        """The weights with which some kinds together, or all, forecast best."""
        names = list(self.forecasts if names is None else names)
        truth, found = self._judged(self.truth), [self.forecasts[name] for name in names]
        best = combination_weights(
            [self._judged(one) for one in found], truth, self._loss and self._measure
        )
        return dict(zip(names, best.tolist()))

    def errors(self, weights: Mapping[str, float]) -> np.ndarray:
        """(N, horizon, K) float64, truth less the forecast of weights, scaled; NaN if filled."""
        said = sum(np.float64(weights[name]) * one for name, one in self.forecasts.items())
        errors = self.truth - median(by_quantile(np.asarray(said), self.truth.shape[-1]))
        if self._real is not None:
            errors = np.where(self._real, errors, np.nan)
        return errors.swapaxes(0, 1).astype(np.float64)

    def _measure(self, found: np.ndarray, true: np.ndarray) -> float:
        assert self._loss is not None
        in_order = by_quantile(found, true.shape[-1]).reshape(found.shape)
        return float(self._loss(in_order, true, with_gradient=False)[0])

    def _judged(self, values: np.ndarray) -> np.ndarray:
        """The same with zeros where nothing is judged: then all forecasts are alike there."""
        if self._real is None:
            return values
        real = self._real[..., None]
        return np.where(real, values.reshape(*real.shape[:-1], -1), 0.0).reshape(values.shape)
