"""Which rows of a batch each time step runs: all of them, or those whose sequence goes on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["Steps", "whole"]


class Steps:
    """The rows of all steps, one step after another; longer sequences stand before shorter ones.

    Attributes
    ----------
    offsets : (T + 1,) int64
        Step t has the rows from ``offsets[t]`` to ``offsets[t + 1]``: those of the batch's first
        n_t sequences.
    batch : int
        B, sequences of length 0 counted.
    count : int
        T.
    rows : int
        N, the rows of all steps.
    mean : int
        N / T, at least 1 where there are rows at all.
    start : int
        The number of the first step in the longer sequence that these steps are a piece of, else 0.
    """

    __slots__ = ("_lengths", "_shares", "batch", "count", "mean", "offsets", "rows", "start")

    def __init__(
        self, offsets: np.ndarray, batch: int, lengths: np.ndarray | None, start: int = 0
    ) -> None:
        self.offsets = offsets
        self.batch = batch
        self.count = offsets.size - 1
        self.rows = int(offsets[-1])
        self.mean = max(1, self.rows // self.count) if self.rows else 0
        self.start = start
        self._lengths = lengths
        self._shares: dict[int, np.ndarray] = {}

    @staticmethod
    def of_lengths(lengths: np.ndarray) -> Steps:
        """Make steps of sequences of these lengths, the longest first and at least 1."""
        most = int(lengths[0])
        active = np.searchsorted(-lengths, -np.arange(most), side="left")
        offsets = np.zeros(most + 1, np.int64)
        np.cumsum(active, out=offsets[1:])
        return Steps(offsets, lengths.size, lengths)

    @property
    def is_ragged(self) -> bool:
        """Whether lengths differ, or may."""
        return self._lengths is not None

    def shares(self, parts: int) -> np.ndarray:
        """Which rows of the batch each of `parts` threads owns: (parts + 1,), equally much work."""
        found = self._shares.get(parts)
        if found is None:
            if self._lengths is None:
                found = -(-np.arange(parts + 1) * self.batch // parts)  # the first is the largest
            else:
                done = np.cumsum(self._lengths)
                found = np.searchsorted(done, np.arange(parts + 1) * self.rows / parts)
                found[0], found[-1] = 0, self.batch
            self._shares[parts] = found = found.astype(np.int64)
        return found

    def after(self, reverse: bool) -> np.ndarray:
        """Where what is saved of the states has those after each row's step: (N,).

        A row finds there what its next step starts from, in that step's row, and its sequence's
        last states in row N + its place in the batch.
        """
        active = np.diff(self.offsets)
        t = np.repeat(np.arange(self.count), active)
        place = np.arange(self.rows) - self.offsets[t]
        t_next = t - 1 if reverse else t + 1
        goes_on = t_next >= 0 if reverse else place < np.append(active, 0)[t_next]
        return np.where(goes_on, self.offsets[t_next], self.rows) + place

    def pieces(self, rows: int) -> list[Steps]:
        """Cut into runs of steps of about so many rows; not where lengths differ.

        There a row that ends in one piece would have its last state overwritten by the next.
        """
        some = max(1, rows // max(1, self.batch))
        if self._lengths is not None or some >= self.count:
            return [self]
        return [whole(min(some, self.count - t), self.batch, t) for t in range(0, self.count, some)]

    def within(self, steps: Steps) -> slice:
        """Where the rows of this piece are among those of all `steps`."""
        start = int(steps.offsets[self.start])
        return slice(start, start + self.rows)


@lru_cache(maxsize=128)
def whole(count: int, batch: int, start: int = 0) -> Steps:
    """`count` steps of all rows; the first is number `start` of a longer sequence."""
    return Steps(np.arange(count + 1, dtype=np.int64) * batch, batch, None, start)
