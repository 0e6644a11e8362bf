"""The level of each window: taken from what a forecaster reads, and added to what it says."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import as_lengths
from ..typing import Array

__all__ = ["Level"]


class Level:
    """The last values of the first C features of each sequence (Zeng et al., 2023: NLinear).

    Parameters
    ----------
    x : numpy.ndarray, (T, B, I), or (B, T, I) with batch_first, or (T, I)
        T at least 1.
    lengths : array_like of int, (B,), or None
        A sequence of length 0 has the level 0.
    targets : int
        C.
    batch_first : bool

    Attributes
    ----------
    values : numpy.ndarray, (B, C), or (C,) of a single sequence
    """

    def __init__(self, x: Array, lengths: Any, targets: int, batch_first: bool) -> None:
        self.targets, self.batch_first = targets, batch_first
        rows = self._rows(x)
        count, steps = rows.shape[:2]
        if lengths is None:
            ends = np.full(count, steps)
        else:
            ends = as_lengths("lengths", lengths, steps, count)
        self._at = np.arange(count), np.maximum(ends - 1, 0)
        self._there = (ends > 0)[:, None]
        found = np.where(self._there, rows[self._at][:, :targets], rows.dtype.type(0))
        self.values = found if x.ndim == 3 else found[0]

    def taken_from(self, x: Array) -> Array:
        """x less the level, a new array."""
        x = x.copy()
        self._rows(x)[..., : self.targets] -= self.values.reshape(-1, 1, self.targets)
        return x

    def back(self, dx: Array, dlevel: Array) -> Array:
        """The cotangent of x, from that of x less the level and that of the level."""
        dx = dx.copy()
        rows = self._rows(dx)[..., : self.targets]
        total = dlevel.reshape(-1, self.targets) - rows.sum(axis=1)
        rows[self._at] += np.where(self._there, total, rows.dtype.type(0))
        return dx

    def _rows(self, x: Array) -> Array:
        """A view (B, T, I)."""
        if x.ndim == 2:
            return x[None]
        return x if self.batch_first else x.swapaxes(0, 1)
