"""Plans: made once for a shape and a number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from plans_tool import measured

from numba_lstm import nn, threads
from numba_lstm.kernels.loops.forward import FUSED, PROJECTED, TOKENS
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.plans import registry
from numba_lstm.plans.way import Way
from numba_lstm.recurrent import plan
from numba_lstm.recurrent.plan import backward_way, forward_way
from numba_lstm.recurrent.steps import Steps, whole


def forward_plan(weights, steps, by_token):
    return forward_way(weights, steps, by_token, "infer").plan


def backward_schedule(weights, steps):
    return backward_way(weights, steps, 1).plan.schedule


@pytest.fixture
def weights():
    return nn.LSTM(30, 64, seed=0).weights()[0]


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", 2)


def test_a_plan_is_made_once_for_a_shape(weights, monkeypatch):
    made = []
    choose = plan.choose
    monkeypatch.setattr(plan, "choose", lambda *about: made.append(about) or choose(*about))
    steps = whole(100, 32)
    assert forward_plan(weights, steps, False) is forward_plan(weights, steps, False)
    assert backward_schedule(weights, steps) is backward_schedule(weights, steps)
    assert len(made) == 2
    forward_plan(weights, steps, True)
    forward_plan(weights, whole(100, 31), False)
    assert len(made) == 4


def test_another_number_of_threads_has_plans_of_its_own(weights, two_threads, monkeypatch):
    steps = whole(100, 32)
    assert forward_plan(weights, steps, False).schedule.nt == 2
    assert backward_schedule(weights, steps).nt == 2
    monkeypatch.setattr(threads, "_chosen", 1)
    assert forward_plan(weights, steps, False).schedule == Schedule(1, 1)
    assert backward_schedule(weights, steps) == Schedule(1, 1)


def test_the_inputs_part_comes_from_what_the_form_of_the_input_allows(weights, two_threads):
    assert forward_plan(weights, whole(100, 32), False)[1:] == (FUSED, 30)
    assert forward_plan(weights, whole(100, 1), False)[1:] == (PROJECTED, 0)
    assert forward_plan(weights, whole(100, 1), True)[1:] == (TOKENS, 0)
    normalised = nn.LSTM(30, 64, layer_norm=True, seed=0).weights()[0]
    assert forward_plan(normalised, whole(100, 1), False)[1:] == (FUSED, 30)


@pytest.mark.parametrize("kind, gates", [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_the_rule_counts_the_products_that_the_cell_has(kind, gates):
    weights = kind(30, 64, seed=0).weights()[0]
    assert weights.step_flops(5, 30) == 2 * 5 * gates * 64 * (30 + 64)


def test_of_many_shapes_only_the_last_plans_are_kept(weights):
    for count in range(1, 200):
        forward_plan(weights, whole(count, 1), False)
    assert 0 < len(weights.plans) <= 64


# -- measured -----------------------------------------------------------------------------------


@pytest.fixture
def measuring(tmp_path, two_threads):
    with measured(tmp_path):
        yield registry


def test_a_shape_worth_it_gets_a_tuner_and_the_first_call_of_its_weights_is_not_timed(
    weights, measuring
):
    steps = whole(100, 32)
    first = forward_way(weights, steps, False, "infer")
    assert first.tuner is None and first.plan.schedule.nt == 2
    way = forward_way(weights, steps, False, "infer")
    assert isinstance(way, Way) and way.tuner is not None and way.steps == 100
    assert way.tuner.candidates[0].plan == way.plan == first.plan
    assert forward_way(weights, steps, False, "infer") is way


def test_every_kind_of_call_has_a_tuner_of_its_own(weights, measuring):
    steps = whole(100, 32)
    for _ in range(2):
        ways = [forward_way(weights, steps, False, kind) for kind in ("infer", "forward")]
        ways += [forward_way(weights, steps, True, "infer"), backward_way(weights, steps, 1)]
    assert len({id(way.tuner) for way in ways}) == 4
    kinds = {one["sizes"].split()[0] for one in measuring.report()}
    assert kinds == {"infer", "forward", "backward"}


def test_layers_of_one_size_and_lengths_near_each_other_share_what_is_measured(measuring):
    layers = nn.LSTM(64, 64, 2, seed=0).weights()
    for _ in range(2):
        ways = [forward_way(w, whole(100, 32), False, "infer") for w in layers]
    ways.append(forward_way(layers[0], whole(120, 32), False, "infer"))
    assert ways[0].tuner is ways[1].tuner is ways[2].tuner is not None
    assert [way.steps for way in ways] == [100, 100, 120]
    forward_way(layers[0], whole(129, 32), False, "infer")
    assert len(measuring.report()) == 2


def test_small_work_has_no_tuner(weights, measuring):
    for _ in range(2):
        assert forward_way(weights, whole(1, 1), False, "infer").tuner is None
    assert measuring.report() == []


def test_batches_of_different_lengths_are_measured_by_their_mean(weights, measuring):
    rng = np.random.default_rng(0)
    tuners, steps = set(), []
    for _ in range(20):
        lengths = np.sort(rng.integers(1, 101, 64))[::-1]
        lengths[0] = 100
        steps.append(Steps.of_lengths(lengths))
        way = forward_way(weights, steps[-1], False, "forward")
        tuners.add(id(way.tuner))
    assert len({one.rows for one in steps}) > 10
    assert len(tuners) <= 4  # None at first, then one for each of a few means
    assert way.steps == pytest.approx(100, rel=0.25)
    assert all("ragged" in one["sizes"] for one in measuring.report())


def test_no_rows_at_all_are_no_failure(weights, measuring):
    steps = Steps.of_lengths(np.array([3, 1]))
    empty = Steps(np.zeros(3, np.int64), 0, None)
    assert forward_way(weights, steps, False, "infer").plan
    assert forward_way(weights, empty, False, "infer").plan
