"""Steps of a batch: which rows each has, whose they are, and the pieces of time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from numba_lstm.recurrent.steps import Steps, whole


def test_whole_steps_have_all_rows():
    steps = whole(4, 3)
    assert steps.offsets.tolist() == [0, 3, 6, 9, 12]
    assert (steps.count, steps.batch, steps.rows, steps.mean) == (4, 3, 12, 3)
    assert whole(4, 3) is steps


def test_steps_of_lengths_have_the_rows_that_go_on():
    steps = Steps.of_lengths(np.array([4, 2, 2, 1, 0]))
    assert np.diff(steps.offsets).tolist() == [4, 3, 1, 1]
    assert (steps.count, steps.batch, steps.rows, steps.mean) == (4, 5, 9, 2)


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_shares_cover_all_rows_with_about_equal_work(rng, parts):
    lengths = -np.sort(-rng.integers(1, 100, 64))
    shares = Steps.of_lengths(lengths).shares(parts)
    assert shares[0] == 0 and shares[-1] == 64 and (np.diff(shares) >= 0).all()
    work = [lengths[a:b].sum() for a, b in itertools.pairwise(shares)]
    assert max(work) - lengths.sum() / parts <= 100
    assert whole(5, 64).shares(parts).tolist() == [-(-64 * q // parts) for q in range(parts + 1)]


def test_pieces_of_whole_steps_follow_each_other_and_lengths_are_not_cut():
    steps = whole(17, 3)
    pieces = steps.pieces(12)
    rows = np.arange(steps.rows)
    assert np.concatenate([rows[piece.within(steps)] for piece in pieces]).tolist() == list(rows)
    assert [piece.count for piece in pieces] == [4, 4, 4, 4, 1]
    assert steps.pieces(51) == [steps]
    assert sum(piece.count for piece in whole(3, 0).pieces(1)) == 3
    ragged = Steps.of_lengths(np.array([9, 8, 7]))
    assert ragged.pieces(1) == [ragged]
