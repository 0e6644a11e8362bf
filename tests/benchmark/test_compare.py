"""Results that differ by more than rounding are found, and named."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.benchmark.compare import TOLERANCE, disagreement


def results(**changed):
    return {"y": np.array([[1.0, -4.0], [2.0, 0.0]]), "dx": np.zeros(3), **changed}


def test_rounding_is_no_disagreement():
    off = results(y=results()["y"] + 0.9 * TOLERANCE * 4.0)
    assert disagreement(results(), off) is None


def test_empty_results_agree():
    assert disagreement({"y": np.empty((0, 3))}, {"y": np.empty((0, 3))}) is None


@pytest.mark.parametrize(
    "theirs, words",
    [
        (results(y=results()["y"] + 1.1 * TOLERANCE * 4.0), "y is off by"),
        (results(y=results()["y"].T), "y is off by"),
        (results(y=-results()["y"]), "y is off by"),
        (results(dx=np.full(3, 1e-30)), "dx is off by"),
        (results(dx=np.array([0.0, np.nan, 0.0])), "dx is not finite"),
        (results(y=np.array([[np.inf, -4.0], [2.0, 0.0]])), "y is not finite"),
        (results(y=np.zeros(4)), "y has shape"),
        (results(dw=np.zeros(3)), "results"),
        ({"y": results()["y"]}, "results"),
    ],
)
def test_a_difference_is_named(theirs, words):
    assert disagreement(results(), theirs).startswith(words)


def test_nan_on_both_sides_does_not_agree():
    both = {"y": np.array([np.nan])}
    assert disagreement(both, both) == "y is not finite"
