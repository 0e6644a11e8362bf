"""The grid is data: names tell sizes, patterns choose, work is counted."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.benchmark.cases import GRID, KINDS, Case, flops, select, traffic


@pytest.mark.parametrize("case", GRID, ids=lambda case: case.name)
def test_a_name_tells_group_and_sizes(case):
    sizes = f"{case.T}x{case.B}x{case.I}x{case.H}"
    layers = f"-L{case.layers}" if case.layers > 1 else ""
    both = "-bi" if case.bidirectional else ""
    projection = f"-P{case.proj}" if case.proj else ""
    assert case.name == f"{case.group}-{sizes}{layers}{both}{projection}"
    assert set(case.kinds) <= set(KINDS)


def test_names_are_unique_and_every_kind_is_measured():
    assert len({case.name for case in GRID}) == len(GRID)
    assert {kind for case in GRID for kind in case.kinds} == set(KINDS)


def test_only_language_models_have_a_vocabulary():
    for case in GRID:
        assert (case.vocab > 0) == bool({"step", "memory"} & set(case.kinds)), case.name


def names(*patterns):
    return [case.name for case in select(patterns)]


def test_a_group_a_glob_and_a_name_choose_cases_in_the_grid_s_order():
    assert names() == [case.name for case in GRID]
    assert names("wide", "small") == [*names("small"), *names("wide")]
    assert names("small-20x8x64x128") == ["small-20x8x64x128"]
    assert names("*-bi") == ["odd-64x48x100x300-bi", "deep-128x64x128x256-L2-bi"]


def test_a_pattern_that_fits_nothing_is_refused():
    with pytest.raises(ValueError, match=r"CASE.*group \(small.*'huge'"):
        select(["small", "huge"])


def test_json_there_and_back_is_the_same_case():
    for case in GRID:
        assert Case.from_json(case.to_json()) == case


def naive_flops(case):
    """Two for each multiply-add, counted product by product."""
    total = 0
    gates, lengths = {"lstm": 4, "gru": 3, "rnn": 1}[case.cell], case.lengths()
    for t in range(case.T):
        rows = case.B if lengths is None else np.count_nonzero(lengths > t)
        h = case.proj or case.H
        for layer in range(case.layers):
            inputs = case.I if layer == 0 else h * (2 if case.bidirectional else 1)
            for _ in range(2 if case.bidirectional else 1):
                w_ih, w_hh = np.empty((gates * case.H, inputs)), np.empty((gates * case.H, h))
                total += 2 * rows * (w_ih.size + w_hh.size + case.proj * case.H)
        total += 2 * rows * case.H * case.vocab
    return total


@pytest.mark.parametrize("case", GRID, ids=lambda case: case.name)
def test_flops_are_those_of_the_products(case):
    assert flops(case, "infer") == naive_flops(case)
    assert flops(case, "train") == flops(case, "step") == 3 * naive_flops(case)


def test_traffic_of_a_case_counted_by_hand():
    case = Case("a-1x2x3x5", ("infer",), 1, 2, 3, 5)
    weights, data = 20 * 3 + 20 * 5 + 2 * 20, 2 * 3 + 2 * 5
    assert traffic(case, "infer") == 4 * (weights + data)
    assert traffic(case, "train") == 8 * (weights + data)
