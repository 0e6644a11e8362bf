"""Passes over samples in batches: each in an order of its own, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import checks
from ..typing import Seed

__all__ = ["Passes"]


class Passes:
    """Batches of some samples, in passes each of which has an order of its own.

    Parameters
    ----------
    samples : numpy.ndarray of int
        Their numbers.
    batch_size, shuffle, seed
        As for `batches`.

    Attributes
    ----------
    epoch : int
        The number of the pass that the next iteration is, from 0 on. It may be set: pass number n
        of one seed always has the same order.
    """

    def __init__(self, samples: np.ndarray, batch_size: int, shuffle: bool, seed: Seed) -> None:
        self.batch_size = checks.size("batch_size", batch_size)
        self.shuffle = checks.flag("shuffle", shuffle)
        self.epoch = 0
        self._samples = samples
        self._root = int(checks.generator(seed).integers(2**63))

    def __len__(self) -> int:
        """Return the number of batches in a pass."""
        return -(-len(self._samples) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Begin a pass: number `epoch`, which is then counted up."""
        epoch = self.epoch
        self.epoch += 1
        return self.beginning_at(epoch, 0)

    def beginning_at(self, epoch: int, first: int) -> Iterator[tuple[Any, ...]]:
        """Iterate over pass number `epoch` from its batch number `first` on; both count from 0."""
        for chosen in self.order(epoch)[first:]:
            yield self.batch(chosen)

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which samples are in each batch of pass number `epoch`."""
        size, samples = self.batch_size, self._samples
        if self.shuffle:
            samples = self._drawn(epoch).permutation(samples)
        return [samples[at : at + size] for at in range(0, len(samples), size)]

    def batch(self, chosen: np.ndarray) -> tuple[Any, ...]:
        """Return the batch of some samples, by their numbers."""
        raise NotImplementedError

    def weight(self, chosen: np.ndarray) -> float:
        """Return how much some samples count in the mean over a batch of them."""
        return float(len(chosen))

    def _drawn(self, epoch: int) -> np.random.Generator:
        """What draws the order of a pass."""
        return np.random.default_rng((self._root, epoch))
