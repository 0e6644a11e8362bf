"""The networks and the linear forecasters whose forecasts are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..models import Combination, Forecaster, LinearForecaster
from ..models.combination import Together
from ..nn import Module

__all__ = ["Members", "of_each"]


class Members:
    """Forecasters in groups, each of which has one weight that its members share alike.

    Parameters
    ----------
    networks : mapping
        Forecasters by the name of their group, such as "lstm" and "lstm last".
    lines : mapping
        Linear forecasters by name, such as "linear".
    """

    def __init__(
        self, networks: Mapping[str, list[Forecaster]], lines: Mapping[str, LinearForecaster]
    ) -> None:
        self.networks, self.lines = dict(networks), dict(lines)
        self.together = Together([one for group in self.networks.values() for one in group])

    @property
    def groups(self) -> dict[str, list[Module]]:
        """All of them."""
        lines: dict[str, list[Module]] = {name: [one] for name, one in self.lines.items()}
        return {**{name: list(group) for name, group in self.networks.items()}, **lines}

    def combined(self, weights: Mapping[str, float] | None = None) -> Combination:
        """Put them together.

        Parameters
        ----------
        weights : mapping, optional
            Of the groups; all alike where it is not given. Who has none is left out.
        """
        groups = self.groups
        shares = dict.fromkeys(groups, 1 / len(groups)) if weights is None else weights
        members = [one for name, group in groups.items() if shares[name] for one in group]
        each = [
            shares[name] / len(group)
            for name, group in groups.items()
            if shares[name]
            for _ in group
        ]
        return Combination(members, each).eval()


def of_each(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Make a loss one of the outputs of several modules, (M, …), of the same targets.

    Its gradient is that of the sum, so that each module learns as if it were alone.
    """

    def each(outputs: Any, targets: Any, with_gradient: bool = True) -> Any:
        same = np.broadcast_to(targets, (len(outputs), *targets.shape))
        value, gradient = loss(outputs, same, with_gradient=with_gradient)
        return value, None if gradient is None else gradient * gradient.dtype.type(len(outputs))

    return each
