"""A way: the rule's plan where nothing is measured, else the tuner's."""

from __future__ import annotations

import numpy as np
import pytest
from plans_tool import Machine, made_up

from numba_lstm import nn
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.plans import slot
from numba_lstm.plans.plan import Plan
from numba_lstm.plans.way import Way
from numba_lstm.recurrent import direction


@pytest.fixture(autouse=True)
def free_slot(monkeypatch):
    monkeypatch.setattr(slot, "current", slot.Slot())


def test_without_a_tuner_it_gives_its_plan_and_takes_no_times():
    way = Way(made_up("rule:1", 1).plan)
    assert way.begin() == (way.plan, None)
    way.end(None, 1.0)
    assert way.begin() == (way.plan, None)


def test_times_are_compared_by_the_step():
    machine = Machine({"rule:2": 1e-3, "other:2": 0.8e-3})
    lengths = 100, 70
    ways = [Way(machine.way.plan, machine.tuner, steps) for steps in lengths]
    for n in range(40):
        plan, trial = ways[n % 2].begin()
        ways[n % 2].end(trial, lengths[n % 2] * machine.times[machine.names[plan]])
    assert machine.plan == "other:2"
    assert machine.kept[0].time == pytest.approx(0.8e-3)


def test_slow_calls_reach_the_monitor_and_others_do_not():
    machine = Machine({"rule:2": 1e-3, "other:2": 2e-3})
    machine.call(30)
    noted = []
    machine.tuner.watch = noted.append
    machine.way.end(None, 1.9e-3)
    assert noted == []
    machine.way.end(None, 2.1e-3)
    assert noted == [2.1e-3]
    machine.tuner.monitor.slow = 1  # a call as expected takes one back
    machine.way.end(None, 1e-3)
    assert noted == [2.1e-3, 1e-3]


def test_a_way_that_turns_out_small_forgets_its_tuner_while_others_use_it():
    machine = Machine({"rule:1": 1e-6, "other:2": 1e-6})
    machine.call(5)
    assert machine.way.tuner is None
    machine.way.end(None, 1.0)  # of a call that began before


def settled(time):
    """A way whose plan is settled, by calls that take so long."""
    machine = Machine({"rule:2": time, "other:2": 2 * time})
    machine.call(30)
    assert machine.tuner.steady and not machine.tuner.small
    return machine.way


def test_of_short_calls_of_a_settled_plan_seven_in_eight_need_no_timing():
    way = settled(50e-6)
    way.rest = 0
    way.end(None, 50e-6)
    assert way.rest == 7 and way.plan == way.tuner.plan
    other = settled(200e-6)
    other.end(None, 200e-6)
    assert other.rest == 0


def test_after_a_slow_call_each_one_is_timed_until_it_is_made_up_for():
    way = settled(50e-6)
    way.rest = 0
    way.end(None, 150e-6)
    assert way.rest == 0 and way.tuner.monitor.slow == 1
    way.end(None, 50e-6)
    assert way.rest == 0 and way.tuner.monitor.slow == 0
    way.end(None, 50e-6)
    assert way.rest == 7


def test_calls_that_are_trials_are_all_timed():
    machine = Machine({"rule:2": 50e-6, "other:2": 60e-6})
    machine.call(3)
    assert machine.tuner.searching
    machine.way.end(None, 50e-6)
    assert machine.way.rest == 0


@pytest.mark.parametrize("rest, timed", [(3, 0), (0, 1), (-1, 1)])
def test_a_layer_counts_down_what_need_not_be_timed(monkeypatch, rest, timed):
    module = nn.LSTM(3, 4, seed=0)
    x = np.zeros((2, 1, 3), np.float32)
    ends = []
    way = settled(50e-6)
    way.rest = rest
    way.plan = Plan(Schedule(1, 1), h_column=3)
    monkeypatch.setattr(way.tuner, "plan", way.plan)
    monkeypatch.setattr(Way, "end", lambda self, trial, seconds: ends.append(seconds))
    monkeypatch.setattr(direction, "forward_way", lambda *about: way)
    module(x)
    assert len(ends) == timed and way.rest == max(rest - 1, min(rest, 0))
