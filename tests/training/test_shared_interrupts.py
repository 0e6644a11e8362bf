"""Several ranks stop for a signal together, and the same signal may come more than once."""

from __future__ import annotations

import signal

import pytest

from numba_lstm.training.interrupt import Interrupted
from numba_lstm.training.shared_interrupts import SharedInterrupts


def test_it_is_raised_once_all_ranks_know():
    with SharedInterrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        interrupts.check()
        told = interrupts.told()
        assert sum(told) == 1
        interrupts.agree([0.0] * len(told))
        interrupts.check()
        interrupts.agree([4.0 * one for one in told])
        with pytest.raises(Interrupted) as caught:
            interrupts.check()
        assert caught.value.signum == signal.SIGINT and caught.value.between_steps


def test_what_comes_within_a_second_is_the_same_signal_and_a_later_one_is_not_waited_with():
    time = [100.0]
    with SharedInterrupts(now=lambda: time[0]):
        for moment in (0.0, 0.4, 0.9):
            time[0] += moment
            signal.raise_signal(signal.SIGINT)
        time[0] += 0.5
        signal.raise_signal(signal.SIGTERM)
        time[0] += 1.5
        with pytest.raises(Interrupted) as caught:
            signal.raise_signal(signal.SIGINT)
        assert not caught.value.between_steps


def test_where_there_is_nothing_to_save_the_first_is_raised_at_once_and_the_second_is_the_same():
    time = [100.0]
    with SharedInterrupts(now=lambda: time[0]) as interrupts:
        with pytest.raises(Interrupted), interrupts.at_once():
            signal.raise_signal(signal.SIGINT)
        time[0] += 0.5
        signal.raise_signal(signal.SIGINT)
        assert interrupts.told() == (True, False, False)  # for the other ranks
