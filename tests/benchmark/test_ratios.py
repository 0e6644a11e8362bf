"""Ratios of medians and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.benchmark import ratios


def test_the_ratio_is_theirs_over_ours_and_outliers_do_not_move_it():
    assert ratios.ratio([2.0, 2.0, 900.0], [3.0, 800.0, 3.0]) == 1.5


def test_equal_rounds_leave_no_doubt():
    assert ratios.interval([2.0] * 5, [3.0] * 5) == (1.5, 1.5)


def test_one_round_gives_the_ratio_itself():
    assert ratios.interval([2.0], [3.0]) == (1.5, 1.5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says(rng):
    held = 0
    for _ in range(100):
        ours = rng.lognormal(0.0, 0.1, 21)
        theirs = 1.5 * rng.lognormal(0.0, 0.1, 21)
        low, high = ratios.interval(ours, theirs)
        assert low < high
        held += low <= 1.5 <= high
    assert held >= 88


def test_noise_that_both_share_in_a_round_widens_the_interval_less_than_noise_of_their_own(rng):
    ours = rng.lognormal(0.0, 0.3, 21)
    shared = np.diff(ratios.interval(ours, 1.5 * ours))
    own = np.diff(ratios.interval(ours, 1.5 * rng.permutation(ours)))
    assert shared < 1e-12 < own


def test_the_same_rounds_give_the_same_interval(rng):
    ours, theirs = rng.lognormal(size=(2, 9))
    assert ratios.interval(ours, theirs) == ratios.interval(ours, theirs)


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_1():
    assert ratios.geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert ratios.geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
