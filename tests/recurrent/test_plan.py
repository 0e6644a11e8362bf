"""Plans: made once for a shape and a number of threads."""

from __future__ import annotations

import pytest

from numba_lstm import nn, threads
from numba_lstm.kernels.loops.forward import FUSED, PROJECTED, TOKENS
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.recurrent import plan
from numba_lstm.recurrent.plan import backward_schedule, forward_plan
from numba_lstm.recurrent.steps import whole


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
    assert backward_schedule(weights, steps, 1) is backward_schedule(weights, steps, 1)
    assert len(made) == 2
    forward_plan(weights, steps, True)
    forward_plan(weights, whole(100, 31), False)
    assert len(made) == 4


def test_another_number_of_threads_has_plans_of_its_own(weights, two_threads, monkeypatch):
    steps = whole(100, 32)
    assert forward_plan(weights, steps, False).schedule.nt == 2
    assert backward_schedule(weights, steps, 1).nt == 2
    monkeypatch.setattr(threads, "_chosen", 1)
    assert forward_plan(weights, steps, False).schedule == Schedule(1, 1)
    assert backward_schedule(weights, steps, 1) == Schedule(1, 1)


def test_the_inputs_part_comes_from_what_the_form_of_the_input_allows(weights, two_threads):
    assert forward_plan(weights, whole(100, 32), False)[1:] == (FUSED, 30)
    assert forward_plan(weights, whole(100, 1), False)[1:] == (PROJECTED, 0)
    assert forward_plan(weights, whole(100, 1), True)[1:] == (TOKENS, 0)
    normalised = nn.LSTM(30, 64, layer_norm=True, seed=0).weights()[0]
    assert forward_plan(normalised, whole(100, 1), False)[1:] == (FUSED, 30)


def test_of_many_shapes_only_the_last_plans_are_kept(weights):
    for count in range(1, 200):
        forward_plan(weights, whole(count, 1), False)
    assert 0 < len(weights.plans) <= 64
