"""A training ends with the first length that is used up, and steps stand at their middle."""

from __future__ import annotations

import pytest

from numba_lstm.training.budget import Budget
from numba_lstm.training.counters import Counters
from numba_lstm.training.task import Task


def at(passes=0, place=0, length=None):
    task = Task()
    task.passes, task.place, task.length = passes, place, length
    return task


def test_what_is_used_up_is_named():
    budget = Budget(steps=4, epochs=2, minutes=0.5)
    assert budget.used_up(at(), Counters()) == ""
    assert budget.used_up(at(1), Counters(step=4)) == "steps"
    assert budget.used_up(at(2), Counters(step=3)) == "epochs"
    assert budget.used_up(at(1), Counters(seconds=30.0)) == "minutes"
    assert Budget().used_up(at(9), Counters(step=9, seconds=9.0)) == ""


@pytest.mark.parametrize(
    ("budget", "task", "counters", "share", "middle"),
    [
        (Budget(steps=4), at(), Counters(step=1), 0.25, 0.375),
        (Budget(epochs=2), at(1, 1, 4), Counters(), 0.625, 0.6875),
        (Budget(epochs=2), at(1, 3), Counters(), 0.5, 0.5),
        (Budget(minutes=1.0), at(), Counters(seconds=15.0), 0.25, 0.25),
        (Budget(steps=10, minutes=1.0), at(), Counters(step=4, seconds=15.0), 0.4, 0.45),
        (Budget(steps=4), at(), Counters(step=9), 1.0, 1.0),
        (Budget(epochs=2), at(1, 9, 4), Counters(), 1.0, 1.0),
    ],
)
def test_the_share_is_that_of_the_length_which_ends_first(budget, task, counters, share, middle):
    assert budget.share(task, counters) == pytest.approx(share)
    assert budget.share(task, counters, 0.5) == pytest.approx(middle)
