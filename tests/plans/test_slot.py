"""One trial at a time, and a bound for what all searches of a process cost."""

from __future__ import annotations

import threading

import pytest
from plans_tool import Machine

from numba_lstm.plans import slot


@pytest.fixture(autouse=True)
def free_slot(monkeypatch):
    monkeypatch.setattr(slot, "current", slot.Slot())


def test_where_sizes_hardly_ever_come_again_all_searches_together_cost_little():
    times = {"rule:2": 0.01, "other:2": 0.0149, "third:2": 0.0149, "one:1": 0.014}
    now, seconds, calls = 100.0, 0.0, 0
    for _ in range(2000):
        machine = Machine(times)
        machine.now = now
        seconds += machine.call(10)
        calls += 10
        now = machine.now
    assert seconds < calls * 0.01 * 1.06 + 2.0
    assert machine.tuner.state() == "searching"


def test_there_is_one_trial_at_a_time_in_the_process():
    first, second = (Machine({"rule:2": 1e-3, "other:2": 0.8e-3}) for _ in range(2))
    _, trial = first.way.begin()
    assert trial is not None
    found = []

    def elsewhere():
        found.append(second.way.begin())
        second.way.end(found[0][1], 1.0)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [(second.candidates[0].plan, None)]
    first.way.end(trial, 1e-3)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found[1][1] is not None


def test_a_trial_that_an_exception_ended_blocks_nobody():
    """Not its own thread, and others no longer than a minute."""
    times = {"rule:2": 1e-3, "other:2": 0.8e-3}
    machine = Machine(times)
    _, left = machine.way.begin()
    assert left is not None
    machine.call(30)
    assert machine.plan == "other:2"

    _, left = Machine(times).way.begin()
    assert left is not None
    for waited, plan in ((0, "rule:2"), (61, "other:2")):
        machine = Machine(times)
        machine.now += waited
        thread = threading.Thread(target=machine.call, args=(30,))
        thread.start()
        thread.join()
        assert machine.plan == plan
