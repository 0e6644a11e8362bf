"""What ranks tell each other once a step: the loss of all, one clock, and whether a signal came."""

from __future__ import annotations

import math
import signal

import pytest
from ranks_tool import in_threads

from numba_lstm.training.exchange import Exchange
from numba_lstm.training.interrupt import HEARD, Interrupted, Interrupts
from numba_lstm.training.shared_interrupts import SharedInterrupts
from numba_lstm.training.step import Diverged


def test_a_step_sums_the_parts_and_has_the_time_of_rank_0():
    def rank(group):
        clock = 10.0 + group.rank
        exchange = Exchange(group, SharedInterrupts(), lambda: clock)
        found = exchange.step(3, 0.5 * (group.rank + 1), 2.0, 7)
        return found, exchange.seconds(), exchange.read_clock()

    assert in_threads(3, rank) == [((3.0, 6.0, 21), 10.0, 10.0)] * 3


def test_of_one_process_nothing_changes_and_the_time_is_now():
    times = iter((1.0, 2.0, 3.0))
    exchange = Exchange(None, Interrupts(()), lambda: next(times))
    part = (0.1, 3.0, 7)
    assert exchange.step(1, *part) == part
    assert (exchange.seconds(), exchange.read_clock()) == (1.0, 2.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_told_on_all_ranks_by_whose_it_is(bad):
    def rank(group):
        Exchange(group, SharedInterrupts()).step(8, bad if group.rank in (1, 2) else 1.0)

    for error in in_threads(4, rank):
        assert isinstance(error, Diverged)
        assert str(error) == f"the loss at step 8 is {bad} on ranks 1-2"


@pytest.mark.parametrize("when", ["step", "check"])
def test_a_signal_at_one_rank_ends_all_of_them_at_the_same_place(when):
    def rank(group):
        interrupts = SharedInterrupts()
        exchange = Exchange(group, interrupts)
        exchange.step(1, 0.0)
        interrupts.check()
        if group.rank == 2:
            interrupts._hear(signal.SIGTERM, None)
        interrupts.check()  # the others do not know yet
        if when == "step":
            exchange.step(2, 0.0)
        with pytest.raises(Interrupted) as caught:
            interrupts.check() if when == "step" else exchange.check()
        return caught.value.signum, caught.value.between_steps

    assert in_threads(3, rank) == [(signal.SIGTERM, True)] * 3


def test_ranks_that_hear_other_signals_send_messages_of_one_length():
    def rank(group):
        interrupts = SharedInterrupts(((), (signal.SIGINT,), HEARD)[group.rank])
        exchange = Exchange(group, interrupts)
        exchange.check()
        if group.rank == 1:
            interrupts._hear(signal.SIGINT, None)
        found = exchange.step(1, 1.0, 2.0, 3)
        with pytest.raises(Interrupted) as caught:
            interrupts.check()
        return found, caught.value.signum

    assert in_threads(3, rank) == [((3.0, 6.0, 9), signal.SIGINT)] * 3
