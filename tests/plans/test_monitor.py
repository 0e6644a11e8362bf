"""Slow calls are noticed if they are most calls, and soon if they are very slow."""

from __future__ import annotations

import math

from numba_lstm.plans.monitor import Monitor


def calls_until_noticed(*times):
    """After how many calls, the times over and over; None if it is never."""
    monitor = Monitor()
    monitor.expect(1.0)
    for n in range(200):
        if monitor.note(times[n % len(times)]):
            return n + 1
    return None


def test_calls_as_expected_are_not_noticed():
    assert calls_until_noticed(1.0) is None
    assert calls_until_noticed(1.3) is None


def test_slow_calls_are_noticed_within_eight():
    assert calls_until_noticed(1.5) == calls_until_noticed(2.5) == 5
    assert calls_until_noticed(1.0, 2.5, 2.5, 2.5) <= 10


def test_very_slow_calls_are_noticed_sooner():
    assert calls_until_noticed(100.0) == 3


def test_interruptions_now_and_then_are_not():
    assert calls_until_noticed(1.0, 1.0, 100.0, 1.0) is None
    assert calls_until_noticed(1.0, 2.5) is None


def test_before_something_is_expected_nothing_is_slow():
    monitor = Monitor()
    assert not any(monitor.note(1e9) for _ in range(20))
    assert monitor.limit == math.inf
