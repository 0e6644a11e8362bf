"""Random shapes: the seed alone decides them, and they keep within their ranges."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.benchmark.cases import Case, flops
from numba_lstm.benchmark.random_cases import draw, step_seconds


def test_a_seed_means_the_same_shapes_everywhere_and_always():
    assert [case.name for case in draw(3, 1)] == [
        "random-178x17x16x1003",
        "random-777x6x435x148",
        "random-2461x21x304x35",
    ]


def test_more_shapes_begin_with_the_same_ones_and_another_seed_gives_others():
    assert draw(12, 7)[:5] == draw(5, 7)
    assert not set(draw(12, 7)) & set(draw(12, 8))


def test_shapes_are_within_their_ranges_and_reach_their_ends():
    cases = draw(2000, 0)
    for letter, low, high in (("B", 1, 256), ("H", 32, 1200), ("I", 8, 1000)):
        sizes = np.array([getattr(case, letter) for case in cases])
        assert low <= sizes.min() < 1.05 * low + 1 and 0.95 * high < sizes.max() <= high
        # log-uniform: half of them are below the ends' geometric mean
        assert 0.45 < np.mean(sizes < np.sqrt(low * high)) < 0.55


def test_names_tell_the_sizes_and_all_are_plain_lstms_for_both_kinds():
    for case in draw(20, 3):
        assert case.name == f"random-{case.T}x{case.B}x{case.I}x{case.H}"
        assert case.kinds == ("infer", "train")
        assert case == Case(case.name, case.kinds, case.T, case.B, case.I, case.H)


def test_a_case_takes_5_to_200_milliseconds_on_the_machine_it_is_reckoned_for():
    for case in draw(500, 0):
        ms = 1e3 * case.T * step_seconds(case.B, case.I, case.H)
        assert ms <= 200.1
        # Whole steps: the last one that does not fit is left out.
        assert ms > 5.0 - 1e3 * step_seconds(case.B, case.I, case.H) or case.T == 1


@pytest.mark.parametrize("seed", range(4))
def test_no_case_needs_gigabytes_or_tens_of_thousands_of_steps(seed):
    for case in draw(200, seed):
        floats = case.T * case.B * (case.I + 6 * case.H)
        assert 4 * floats <= 2**29 + 4 * case.B * (case.I + 6 * case.H)
        assert flops(case, "infer") < 200e-3 * 150e9 * 1.01
        assert case.T <= 4000
