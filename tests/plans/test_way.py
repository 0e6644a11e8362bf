"""A way: the rule's plan where nothing is measured, else the tuner's."""

from __future__ import annotations

import pytest
from plans_tool import Machine, made_up

from numba_lstm.plans import slot
from numba_lstm.plans.way import Way


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
    machine.way.end(None, 1.3e-3)
    assert noted == []
    machine.way.end(None, 1.5e-3)
    assert noted == [1.5e-3]
    machine.tuner.monitor.slow = 1  # a call as expected takes one back
    machine.way.end(None, 1e-3)
    assert noted == [1.5e-3, 1e-3]


def test_a_way_that_turns_out_small_forgets_its_tuner_while_others_use_it():
    machine = Machine({"rule:1": 1e-6, "other:2": 1e-6})
    machine.call(5)
    assert machine.way.tuner is None
    machine.way.end(None, 1.0)  # of a call that began before
