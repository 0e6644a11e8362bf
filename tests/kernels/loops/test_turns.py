"""Turns: each phase of each step runs once, in order, also after a team that did not meet."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.kernels.loops.team import gather
from numba_lstm.kernels.loops.turns import count_turns, lost_by_waiting, next_turn, steps_of_turn
from numba_lstm.simd import at


@driver
def _run(crew, nt, members, alone, team, begin, end, phases, counters, ran, turns_taken):
    """Each thread's (turn, step, phase) in the order in which it runs them, by a loop like ours.

    A team of `members` threads: one of more than nt does not come together.
    """
    steps = end - begin
    turn, turns = 0, count_turns(alone, team, steps, phases)
    while turn < turns:
        for q in range(nt):
            met = 0
            if team:
                met = 1 if gather(at(counters, (0,)), members, 10) else -1
            s0, s1, f0, f1 = steps_of_turn(turn, alone, met, begin, end, phases)
            for s in range(s0, s1):
                for f in range(f0, f1):
                    at_row = ran[q, 0, 0] + 1
                    ran[q, at_row, 0], ran[q, at_row, 1], ran[q, at_row, 2] = turn, s, f
                    ran[q, 0, 0] = at_row
        turns_taken[0] += 1
        team, turn, turns = next_turn(turn, turns, team, at(counters, (0,)), steps, phases)
    turns_taken[1] = team


def run(members, alone, team, begin, end, phases):
    ran = np.zeros((1, 1 + (end - begin) * phases, 3), np.int64)
    taken = np.zeros(2, np.int64)
    counters = np.zeros(1, np.int64)
    _run(1, members, alone, team, begin, end, phases, counters, ran, taken)
    assert ran[0, 0, 0] == (end - begin) * phases
    return ran[0, 1:].tolist(), *taken.tolist()


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("begin, end", [(0, 4), (2, 5), (-1, 2)])
def test_every_phase_of_every_step_runs_once_and_in_order(begin, end, phases):
    order = [[s, f] for s in range(begin, end) for f in range(phases)]
    for alone, team in ((True, False), (False, True)):
        ran, turns, still = run(1, alone, team, begin, end, phases)
        assert ran == [[0, *one] for one in order]
        assert (turns, still) == (1, team)
    ran, turns, still = run(1, False, False, begin, end, phases)
    assert ran == [[number, *one] for number, one in enumerate(order)]
    assert (turns, still) == (len(order), False)


def test_a_team_that_does_not_come_together_has_done_nothing_and_the_turns_begin_again():
    ran, turns, still = run(2, False, True, 1, 4, 2)
    order = [[s, f] for s in range(1, 4) for f in range(2)]
    assert ran == [[number, *one] for number, one in enumerate(order)]
    assert (turns, still) == (1 + len(order), False)


@driver
def _lost(crew, nt, n, waited):
    """What a team of n threads has lost."""
    return lost_by_waiting(n, waited)


@pytest.mark.parametrize("n", [2, 3, 16])
def test_one_late_thread_costs_its_lateness_once_for_each_thread(n):
    # `run_hired` took the caller's part for work, and those of n - 1 workers for as much.
    assert _lost(1, n, (n - 1) * 1000) == n * 1000
