"""Sequences of different lengths in a padded batch: only the steps that exist are computed.

The rows of all steps are gathered into one array, one step after another, the batch sorted by
length inside; `Steps` says which rows belong to which step. Padding is neither read nor computed.
"""

from __future__ import annotations

import numpy as np

from .. import threads
from ..kernels.embedding import gather_rows
from ..parameters.scratch import Lease
from .states import Flat
from .steps import Steps

__all__ = ["Ragged"]


class Ragged:
    """Where the rows of a padded batch are, and where they go.

    Attributes
    ----------
    steps : Steps
    index : (N,) int64
        The row of the padded array, its two first axes taken as one, for each row computed.
    order : (B,) int64
        The sequences' numbers, the longest first.
    lengths : (B,) int64
    some : int
        How many sequences are not empty.
    """

    __slots__ = ("index", "lengths", "order", "some", "steps")

    def __init__(self, lengths: np.ndarray, count: int, batch_first: bool) -> None:
        batch = lengths.size
        self.order = np.argsort(-lengths, kind="stable")
        ordered = lengths[self.order]
        self.some = int(np.count_nonzero(lengths))
        self.lengths = lengths
        # With nothing but empty sequences one step that runs no rows.
        self.steps = Steps.of_lengths(ordered) if self.some else _no_rows(ordered)
        t = np.arange(self.steps.count)[:, None]
        rows = self.order * count + t if batch_first else t * batch + self.order
        self.index = np.ascontiguousarray(rows[t < ordered])

    def gather(self, array: np.ndarray, lease: Lease) -> np.ndarray:
        """Rows (N, …) of a padded array."""
        width = array.shape[2]
        out = lease.array((self.steps.rows, width), array.dtype)
        table = np.ascontiguousarray(array).reshape(-1, width)
        gather_rows(threads.threads_for(4.0 * out.size), self.index, table, out)
        return out

    def scatter(self, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Give a new padded array of `shape`, its padding zero."""
        out = np.zeros(shape, rows.dtype)
        out.reshape(-1, shape[2])[self.index] = rows
        return out

    def sort(self, states: Flat) -> Flat:
        """Put states (…, B, H), one or a list of them, in the order of the rows."""
        if isinstance(states, list):
            return [np.ascontiguousarray(one[self.order]) for one in states]
        return np.ascontiguousarray(states[..., self.order, :])

    def unsort(self, states: Flat) -> Flat:
        """Put them back."""
        if isinstance(states, list):
            return [one[np.argsort(self.order)] for one in states]
        out = np.empty_like(states)
        out[..., self.order, :] = states
        return out


def _no_rows(lengths: np.ndarray) -> Steps:
    return Steps(np.zeros(2, np.int64), lengths.size, lengths)
