"""Calls are timed once plans are found, however many plans there are."""

from __future__ import annotations

import pytest

from numba_lstm.benchmark import settling


@pytest.fixture
def states(monkeypatch):
    """What the plans' tuners say, to be changed by a test."""
    told = ["steady"]
    monkeypatch.setattr(settling, "report", lambda: [{"state": state} for state in told])
    return told


def test_where_nothing_is_searched_for_the_calls_asked_for_are_made(states):
    runs = []
    assert settling.settle(lambda: runs.append(1), 7, 60.0) == len(runs) == 7


def test_a_search_is_waited_for_however_many_calls_it_takes(states):
    states.append("searching")
    runs = []

    def run():
        runs.append(1)
        if len(runs) == 200:
            states[:] = ["steady", "busy", "small"]

    assert settling.settle(run, 7, 60.0) == 200


def test_no_longer_than_told(states):
    states.append("searching")
    assert settling.settle(lambda: None, 10**9, 0.05) > 0
    assert settling.settle(lambda: None, 7, 0.0) == 0
