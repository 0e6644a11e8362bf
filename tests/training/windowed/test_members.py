"""Forecasters are made, solved on what trains, and weighed by what validates and was there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from numba_lstm.datasets import Series, SeriesScalers
from numba_lstm.models import Forecaster, LinearForecaster
from numba_lstm.models.forecast_losses import pinball
from numba_lstm.models.members import Members
from numba_lstm.training.windowed.members import Judge, alike, make_members, read_by_lines, solve
from numba_lstm.training.windowed.rows import KnownWindows, Rows, Sizes

SIZES = Sizes(targets=1, known=0, columns=1, window=6, horizon=2)


def windows(values, first, last, filled=()):
    real = None
    if len(filled):
        real = np.ones((len(values), 1), bool)
        real[list(filled)] = False
    one = Series(np.asarray(values, float)[:, None], np.arange(len(values)), ("y",))
    plain = SeriesScalers.fit([one], standardize=False).fitted
    rows = Rows.of([one], plain, [real], "f4")
    return KnownWindows(rows, rows.judged(np.arange(first, last), 2), SIZES, 7)


def lines(*ridged):
    networks = {"lstm": [Forecaster(1, 2, 1, 2, seed=0)]}
    return Members(networks, {name: LinearForecaster(1, 1, 2, 6, seed=0) for name in ridged})


def test_each_kind_has_networks_and_linear_forecasters_of_all_columns_and_of_the_targets():
    sizes = Sizes(targets=1, known=1, columns=3, window=6, horizon=2)
    seeds = itertools.count()
    about = {"hidden": 4, "count": 2, "quantiles": 3, "cell": "gru"}
    made = make_members(sizes, (None, "last"), seeds, linear=True, **about)
    assert {name: len(group) for name, group in made.groups.items()} == {
        "gru": 2, "gru last": 2, "linear": 1, "linear alone": 1, "linear last": 1,
        "linear last alone": 1,
    }  # fmt: skip
    assert next(seeds) == 4 and made.lines["linear last alone"].normalize == "last"
    x, future = np.zeros((6, 5, 3), "f4"), np.zeros((2, 5, 1), "f4")
    assert {one(x, future).shape for group in made.groups.values() for one in group} == {(2, 5, 3)}
    assert not make_members(sizes, (None,), seeds, linear=False, **about).lines
    assert read_by_lines(SIZES, True) == (1,) and read_by_lines(sizes, False) == ()
    assert alike(made.networks) == {"gru": 0.5, "gru last": 0.5}


def test_penalties_are_found_by_what_validates_or_taken(rng):
    values = rng.normal(size=60)
    made = lines("linear")
    found = solve(made, windows(values, 6, 20), windows(values, 20, 58), None)
    assert found["linear"] >= 0.1
    assert solve(made, windows(values, 6, 20), None, None) == {"linear": 0.1}
    assert solve(made, windows(values, 6, 20), None, None, {"linear": 1e-3}) == {"linear": 1e-3}


class Said:
    """A forecaster that says one number, in as many quantiles."""

    def __init__(self, *values):
        self.values = np.array(values, "f4")

    def eval(self):
        return self

    def __call__(self, x, future=None):
        return np.broadcast_to(self.values, (2, x.shape[1], len(self.values)))


class Groups:
    def __init__(self, **groups):
        self.groups = {name: [one] for name, one in groups.items()}


def test_a_value_that_was_filled_judges_nobody():
    """By all values the first one is better; by those that were there the second one."""
    values = np.zeros(30)
    values[20:] = 1.0
    values[24:28] = 0.0
    members = Groups(low=Said(0.0), high=Said(1.0))
    assert Judge(members, windows(values, 22, 29), None).weights()["low"] > 0.3
    judge = Judge(members, windows(values, 22, 29, filled=range(24, 28)), None)
    assert judge.weights() == {"low": 0.0, "high": 1.0}
    errors = judge.errors({"low": 0.0, "high": 1.0})  # of the windows at 22, 23, 27 and 28
    assert np.isnan(errors[..., 0]).tolist() == [[False] * 2, [False, True], [True, False],
                                                 [False] * 2]  # fmt: skip
    assert np.nanmax(np.abs(errors)) == 0.0
    learnt = Groups(low=Said(-1.0, 0.0, 1.0), high=Said(0.5, 1.0, 1.5))
    judge = Judge(learnt, windows(values, 22, 29, filled=range(24, 28)), (0.1, 0.5, 0.9))
    assert judge.weights() == {"low": 0.0, "high": 1.0}


def test_the_loss_of_quantiles_is_of_those_in_order():
    crossed, ordered = Said(1.0, 0.0, -1.0), Said(-1.0, 0.0, 1.0)
    truth = windows(np.zeros(30), 22, 27)
    judge = Judge(Groups(one=crossed, other=ordered), truth, (0.1, 0.5, 0.9))
    found = np.broadcast_to(crossed.values, (2, 5, 3))
    measure = pinball((0.1, 0.5, 0.9))
    expected = measure(np.sort(found, axis=-1), judge.truth, with_gradient=False)[0]
    assert judge._measure(found, judge.truth) == pytest.approx(expected)
    assert not judge.errors({"one": 1.0, "other": 0.0}).any()


def test_some_kinds_are_weighed_without_the_others():
    judge = Judge(
        Groups(a=Said(3.0), b=Said(-3.0), c=Said(0.0)), windows(np.zeros(30), 22, 27), None
    )
    assert judge.weights() == {"a": 0.0, "b": 0.0, "c": 1.0}
    assert judge.weights(["a", "b"]) == {"a": 0.5, "b": 0.5}
