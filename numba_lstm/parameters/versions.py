"""Whether parameters are what they were: a pullback multiplies by the weights that `vjp` used."""

from __future__ import annotations

from collections.abc import Iterable

from . import epochs
from .parameter import Parameter

__all__ = ["Versions"]


class Versions:
    """The versions of some parameters at the time when it is made."""

    __slots__ = ("_epoch", "_of")

    def __init__(self, parameters: Iterable[Parameter | None]) -> None:
        self._epoch = epochs.epoch
        self._of = [(p, p.version) for p in parameters if p is not None]

    def check(self) -> None:
        """Refuse to go on with other values.

        Raises
        ------
        RuntimeError
            If one was written since.
        """
        if self._epoch == epochs.epoch:
            return
        for p, version in self._of:
            if p.version != version:
                raise RuntimeError(
                    f"a parameter of shape {p.shape} was written between vjp and its pullback, "
                    "whose gradient would be neither the old model's nor the new one's: call the "
                    "pullback before the optimizer's step, or vjp again"
                )
