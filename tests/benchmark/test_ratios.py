"""Ratios of medians and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.benchmark import ratios


def test_the_ratio_is_theirs_over_ours_and_outliers_do_not_move_it():
    assert ratios.ratio([[2.0, 2.0, 900.0]], [[3.0, 800.0, 3.0]]) == pytest.approx(1.5)


def test_equal_rounds_leave_no_doubt():
    assert ratios.interval([[2.0] * 5], [[3.0] * 5]) == pytest.approx((1.5, 1.5))


def test_one_round_gives_the_ratio_itself():
    assert ratios.interval([[2.0]], [[3.0]]) == pytest.approx((1.5, 1.5))


def test_the_interval_holds_the_truth_about_as_often_as_it_says(rng):
    held = 0
    for _ in range(100):
        ours = rng.lognormal(0.0, 0.1, 21)
        theirs = 1.5 * rng.lognormal(0.0, 0.1, 21)
        low, high = ratios.interval([ours], [theirs])
        assert low < high
        held += low <= 1.5 <= high
    assert held >= 88


def test_noise_that_both_share_in_a_round_widens_the_interval_less_than_noise_of_their_own(rng):
    ours = rng.lognormal(0.0, 0.3, 21)
    shared = np.diff(ratios.interval([ours], [1.5 * ours]))
    own = np.diff(ratios.interval([ours], [1.5 * rng.permutation(ours)]))
    assert shared < 1e-12 < own


def test_the_same_rounds_give_the_same_interval(rng):
    ours, theirs = rng.lognormal(size=(2, 9))
    assert ratios.interval([ours], [theirs]) == ratios.interval([ours], [theirs])


def test_runs_are_averaged_and_each_run_s_rounds_are_drawn_by_themselves(rng):
    """Of two runs, of which one was slow for both, the ratio is as sure as of one."""
    noise = rng.lognormal(0.0, 0.05, (2, 2, 21))
    ours, theirs = np.array([1.0, 3.0])[:, None] * noise
    assert ratios.middle(ours) == pytest.approx(np.sqrt(np.prod(np.median(ours, axis=1))))
    of_each = [ratios.ratio([a], [b]) for a, b in zip(ours, theirs, strict=True)]
    assert ratios.ratio(ours, theirs) == pytest.approx(ratios.geometric_mean(of_each))
    low, high = ratios.interval(ours, theirs)
    assert 0.93 < low < 1.0 < high < 1.07


def test_two_runs_are_surer_than_one(rng):
    """And each draws rounds of its own, else equal runs would give the interval of one."""
    ours, theirs = rng.lognormal(0.0, 0.2, (2, 21))
    one = np.diff(np.log(ratios.interval([ours], [theirs])))
    two = np.diff(np.log(ratios.interval([ours, ours], [theirs, theirs])))
    assert 0.55 * one < two < 0.85 * one


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_1():
    assert ratios.geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert ratios.geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert ratios.geometric_mean([2.0, 0.0]) == 0.0
