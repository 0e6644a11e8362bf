"""The states and paths of CTC by themselves."""

from __future__ import annotations

import numpy as np

from numba_lstm.losses.alignment import Alignment


def aligned(labels, counts, lengths, blank=0):
    return Alignment(np.array(labels), np.array(counts), np.array(lengths), blank)


def test_states_are_labels_between_blanks():
    alignment = aligned([[1, 2], [3, 9]], [2, 1], [4, 4], blank=9)
    assert alignment.symbols.tolist() == [[9, 1, 9, 2, 9], [9, 3, 9, 9, 9]]
    assert alignment.states.tolist() == [5, 3]


def test_each_step_of_each_sequence_says_one_label(rng):
    x = rng.standard_normal((6, 3, 4))
    log_sums = np.log(np.exp(x).sum(axis=2, keepdims=True))
    alignment = aligned([[1, 2], [3, 0], [1, 1]], [2, 1, 2], [6, 4, 3])
    losses, said = alignment.run(x, log_sums, True)
    within = np.arange(6)[:, None] < [6, 4, 3]
    assert np.allclose(said.sum(axis=2), within, atol=1e-13)
    assert np.array_equal(losses, alignment.run(x, log_sums, False)[0])
    # Three steps are just enough for two equal labels: one path.
    assert np.allclose(said[:3, 2], np.eye(4)[[1, 0, 1]])
    assert np.isclose(losses[2], -(x - log_sums)[[0, 1, 2], 2, [1, 0, 1]].sum())
