"""The networks and the linear forecasters whose forecasts are put together."""

from __future__ import annotations

from collections.abc import Mapping

from ..nn import Module
from .combination import Combination, Together
from .forecaster import Forecaster
from .linear_forecaster import LinearForecaster

__all__ = ["Members"]


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
