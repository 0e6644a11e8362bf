"""The sums over all paths of connectionist temporal classification, forward and backward in time.

The states of a sequence with L labels are blank, label, blank, label, …, blank: N = 2L + 1. A path
begins in state 0 or 1, stays, goes one state on or, from one label to another one, two, and ends in
state N - 1 or N - 2. With e[t, s] the log probability that the network gives the label of state s
at step t ::

    a[t, s] = log(exp a[t-1, s] + exp a[t-1, s-1] + exp a[t-1, s-2]) + e[t, s]

is that of all paths that are in state s at step t, up to t. What comes from t on, b[t, s], is the
same recursion on the sequence read from its end, the labels read from their end. Both run as one
batch of 2B. Then a[t, s] + b[t, s] - e[t, s] is the log probability of all paths through (t, s).
"""

from __future__ import annotations

import numpy as np

from ..quiet import without_errors

__all__ = ["Alignment"]


class Alignment:
    """The labels of a batch, and its paths.

    Parameters
    ----------
    labels : (B, S) int64
        Padded by the blank.
    counts : (B,) int64
        The labels of each sequence.
    lengths : (B,) int64
        The steps of each sequence.
    blank : int
    """

    def __init__(
        self, labels: np.ndarray, counts: np.ndarray, lengths: np.ndarray, blank: int
    ) -> None:
        batch, most = labels.shape
        self.counts, self.lengths, self.blank = counts, lengths, blank
        self.symbols = np.full((batch, 2 * most + 1), blank)  # of each state
        self.symbols[:, 1::2] = labels
        self.states = 2 * counts + 1

    @without_errors
    def run(
        self, x: np.ndarray, log_sums: np.ndarray, with_paths: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Sum over all paths.

        Parameters
        ----------
        x : (T, B, V)
            Logits.
        log_sums : (T, B, 1) float64
            What makes log probabilities of them: x - log_sums.
        with_paths : bool

        Returns
        -------
        losses : (B,) float64
            -log p of each sequence, infinite where it has no path.
        said : (T, B, V) float64, or None
            With `with_paths` the probability that a path says each label at each step.
        """
        steps, batch, classes = x.shape
        self.valid = np.arange(steps)[:, None] < self.lengths  # (T, B)
        e = np.take_along_axis(x, self.symbols[None], axis=2) - log_sums
        e[:, np.arange(e.shape[2]) >= self.states[:, None]] = -np.inf
        if not with_paths:
            return 0 - self._totals(_forward(e, self.symbols)), None
        # Row b + B is row b from its end: steps and states that do not exist stay behind.
        t = np.abs(self.lengths - 1 - np.arange(steps)[:, None])[:, :, None]
        t = np.minimum(t, steps - 1)
        s = np.abs(self.states[:, None] - 1 - np.arange(e.shape[2]))
        s = np.where(np.arange(e.shape[2]) < self.states[:, None], s, np.arange(e.shape[2]))
        row = np.arange(batch)[:, None]
        reverse = e[t, row, s]
        both = _forward(
            np.concatenate([e, reverse], axis=1),
            np.concatenate([self.symbols, np.take_along_axis(self.symbols, s, axis=1)]),
        )
        a, b = both[:, :batch], both[:, batch:][t, row, s]
        totals = self._totals(a)
        log_share = np.where(e > -np.inf, a + b - e, -np.inf) - totals[:, None]
        share = np.where(self.valid[..., None], np.exp(log_share), 0)
        place = (np.arange(steps * batch).reshape(steps, batch, 1) * classes) + self.symbols
        said = np.bincount(place.reshape(-1), share.reshape(-1), steps * batch * classes)
        return 0 - totals, said.reshape(x.shape)

    def _totals(self, a: np.ndarray) -> np.ndarray:
        """log p of each sequence, from the two states that its paths may end in."""
        row = np.arange(self.lengths.size)
        end = np.full((row.size, a.shape[2]), -np.inf)
        if len(a):
            end = a[np.maximum(self.lengths, 1) - 1, row]
        last = end[row, self.states - 1]
        before = np.where(self.counts > 0, end[row, np.maximum(self.states, 2) - 2], -np.inf)
        totals = np.logaddexp(last, before)
        # Without steps there is one path, which says nothing.
        return np.where(self.lengths > 0, totals, np.where(self.counts > 0, -np.inf, 0.0))


def _forward(e: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """a (T, N, S) of e (T, N, S); nothing after a sequence's end is of use."""
    steps, rows, states = e.shape
    # Two states stand before the first, with nothing in them.
    a = np.full((steps, rows, 2 + states), -np.inf)
    skip = np.full((rows, states), -np.inf)
    skip[:, 2:][symbols[:, 2:] != symbols[:, :-2]] = 0  # two blanks are equal, too
    if steps:
        a[0, :, 2:4] = e[0, :, :2]
    for t in range(1, steps):
        before = a[t - 1]
        stay, one, two = before[:, 2:], before[:, 1:-1], before[:, :-2] + skip
        most = np.maximum(np.maximum(stay, one), two)
        shift = np.where(most == -np.inf, 0, most)
        total = np.exp(stay - shift) + np.exp(one - shift) + np.exp(two - shift)
        a[t, :, 2:] = np.log(total) + shift + e[t]
    return a[:, :, 2:]
