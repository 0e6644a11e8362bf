"""A rank's share of each batch: consecutive samples of it, and how much they count in the mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..distributed.group import Group
from .passes import Passes

__all__ = ["Share", "Shares"]


class Share(NamedTuple):
    """Some samples of a batch.

    Attributes
    ----------
    item : tuple or None
        ``(inputs, targets)`` or ``(inputs, targets, sample_weight)``; None without any sample.
    weight : float
        Their part of the batch's weight, 0 to 1: the batch's mean loss is the sum of those of its
        shares, times this.
    """

    item: Any
    weight: float


class Shares:
    """This rank's share of each batch of passes. All ranks have equally many.

    Parameters
    ----------
    passes
        The same on all ranks.
    group
        The ranks.
    """

    def __init__(self, passes: Passes, group: Group) -> None:
        self.passes, self._group = passes, group

    def __len__(self) -> int:
        """Return the number of batches in a pass."""
        return len(self.passes)

    def __iter__(self) -> Iterator[Share]:
        """Begin a pass: number `epoch` of the passes, which is then counted up."""
        epoch = self.passes.epoch
        self.passes.epoch += 1
        return self.beginning_at(epoch, 0)

    def beginning_at(self, epoch: int, first: int) -> Iterator[Share]:
        """Iterate over pass number `epoch` from its batch number `first` on; both count from 0."""
        for chosen in self.passes.order(epoch)[first:]:
            yield self.of(chosen)

    def of(self, chosen: np.ndarray) -> Share:
        """Give the share of the batch of some samples, by their numbers."""
        if self._group.size == 1:
            return Share(self.passes.batch(chosen), 1.0)
        mine = chosen[self._group.share(len(chosen))]
        if not mine.size:
            return Share(None, 0.0)
        weight = self.passes.weight(mine) / self.passes.weight(chosen)
        return Share(self.passes.batch(mine), weight)
