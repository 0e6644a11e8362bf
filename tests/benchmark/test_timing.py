"""Timing blocks of calls."""

from __future__ import annotations

import gc
import threading
import time

from numba_lstm.benchmark.timing import time_calls, wait_until_idle, warm_up


def test_a_block_tells_how_long_a_call_takes():
    block = time_calls(lambda: time.sleep(0.01), 0.05, 0.0, 0.01)
    assert 0.01 <= block.median <= block.p99
    assert 2 <= block.calls <= 6


def test_short_calls_are_warmed_up_and_long_ones_are_not():
    def calls(seconds):
        done = []
        block = time_calls(lambda: done.append(1), 0.0, 0.01, seconds)
        return len(done), block.calls

    warmed, counted = calls(0.001)
    assert warmed > counted == 1
    assert calls(1.0) == (1, 1)


def test_the_99th_percentile_sees_a_rare_slow_call():
    times = iter([0.0] * 48 + [0.03] + [0.0] * 10**6)
    block = time_calls(lambda: time.sleep(next(times)), 0.025, 0.0, 1.0)
    assert block.calls <= 49 or block.p99 < 0.03
    slow = iter([0.0] * 5 + [0.03] + [0.0] * 10**6)
    block = time_calls(lambda: time.sleep(next(slow)), 0.025, 0.0, 1.0)
    assert block.calls == 6 and block.p99 >= 0.03 > block.median


def test_warming_up_calls_at_least_twice_and_leaves_the_first_call_out():
    times = iter([0.05, 0.001, 0.001])
    assert warm_up(lambda: time.sleep(next(times)), 0.0) < 0.05
    assert len(list(times)) == 1


def test_garbage_is_not_collected_meanwhile_but_again_afterwards():
    seen = []
    time_calls(lambda: seen.append(gc.isenabled()), 0.0, 0.0, 1.0)
    assert seen == [False] and gc.isenabled()


def test_it_waits_for_threads_that_spin():
    def waited_to_the_end():
        end = time.perf_counter() + 0.1

        def spin():
            while time.perf_counter() < end:
                sum(range(1000))

        thread = threading.Thread(target=spin)
        thread.start()
        waited = wait_until_idle(limit=5.0)
        done = time.perf_counter() >= end and waited < 5.0
        thread.join()
        return done

    # A thread that gets no core for a while, on a busy machine, does not spin.
    assert any(waited_to_the_end() for _ in range(10))


def test_it_waits_no_longer_than_the_limit():
    stop = threading.Event()
    thread = threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(stop.is_set, True)])
    thread.start()
    try:
        assert 0.05 <= wait_until_idle(limit=0.05) < 2.0
    finally:
        stop.set()
        thread.join()
