"""What threads run of a time loop until all of them have finished: a turn.

- Threads that have rows of their own never wait. The whole sequence is one turn.
- A team shares panels and waits after each phase. The whole sequence is one turn, too.
- Otherwise each phase of each step is a turn, and its end is what makes threads wait.

A team that does not come together has done nothing. Its turn is taken again, phase by phase.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import tuning
from ...jit import kernel, part_of_driver
from ...parts import all_here, count_loss, dismiss, hire, patience, pieces, run_hired
from ...simd import at, atomic_add, flush_denormals, restore_denormals, ticks
from ..blocks import first
from .arguments import Turn
from .team import WAITED, failed, gather

__all__ = [
    "count_turns",
    "finer_shares",
    "lost_by_waiting",
    "next_turn",
    "steps_of_turn",
    "taking_turns",
]


@kernel
def count_turns(alone, team, steps, phases):
    """How many turns it takes to run `steps` steps of `phases` phases."""
    return 1 if alone or team else steps * phases


@kernel
def steps_of_turn(turn, alone, met, begin, end, phases):
    """(s0, s1, f0, f1): steps s0 … s1 and of each the phases f0 … f1.

    Parameters
    ----------
    turn : int
    alone : bool
        Whether each thread has rows of its own.
    met : int
        1 in a team, 0 where there is none, -1 in one that did not come together: no steps.
    begin, end : int
        The steps that all turns together run.
    """
    if alone or met > 0:
        return begin, end, 0, phases
    if met < 0:
        return begin, begin, 0, phases
    step, phase = begin + turn // phases, turn % phases
    return step, step + 1, phase, phase + 1


@kernel
def next_turn(turn, turns, team, counter, steps, phases):
    """(team, turn, turns) after a turn: whether there still is a team, and what comes next."""
    if team and failed(counter):
        return False, 0, steps * phases
    return team, turn + 1, turns


@kernel
def lost_by_waiting(nt, waited):
    """What a team's waiting has cost, in ticks, beside what `run_hired` has counted.

    That took the caller's waiting for its part of the work, and the others' parts for as long. When
    one thread is late, all others wait for it: `waited` is the sum of nt - 1 of them. With the sum
    itself 16 threads, of which one was late by 40 µs, had used up the crew's credit at once, and
    the caller then worked alone for a while, ten times as long.
    """
    return nt * waited // (nt - 1)


@part_of_driver
def finer_shares(crew, nt, columns, shares):
    """(pieces, shares): into how many pieces each thread's rows are cut, and the pieces' bounds.

    Where threads wait for each other, one.
    """
    one = np.int64(1)
    if columns > 1:
        return one, shares
    # Of ragged sequences some threads have fewer rows: pieces are so long on average.
    most = min(tuning.PIECES_OF_ROWS, shares[nt] // (nt * tuning.ROWS_OF_PIECE))
    cut = max(one, min(pieces(crew, nt), most))
    if cut == 1:
        return one, shares
    finer = np.empty(nt * cut + 1, np.int64)
    for q in range(nt):
        rows = shares[q + 1] - shares[q]
        for piece in range(cut):
            finer[q * cut + piece] = shares[q] + first(piece, cut, rows)
    finer[nt * cut] = shares[nt]
    return cut, finer


def taking_turns(thread_part: Any, phases: int) -> Any:
    """A kernel that runs a time loop of `phases` phases a step.

    It takes (crew, nt, cut, columns, team, reverse, offsets, shares, begin, end, counters, tiles,
    given) and gives whether there was a team. ``thread_part(given, t, q, counter, tile)`` is what
    thread q runs of a turn t. `cut` and `shares` are from `finer_shares`: with more than one piece
    for each thread, pieces stand for threads in a turn. `counters` are two zeros, see `team`;
    `tiles` has a row of scratch for each piece.
    """

    @kernel
    def part(
        q, hired, turn, nt, columns, team, reverse, offsets, shares, begin, end, counters, tiles,
        given,
    ):  # fmt: skip
        mode = flush_denormals()
        counter, alone, met = at(counters, (0,)), columns == 1, 0
        if team:
            since = ticks()
            met = 1 if gather(counter, nt, patience(hired, q)) else -1
            if q == 0 and met < 0:
                atomic_add(at(counters, (WAITED,)), (nt - 1) * (ticks() - since))
        s0, s1, f0, f1 = steps_of_turn(turn, alone, met, begin, end, phases)
        t = Turn(nt, columns, alone, team, reverse, offsets, shares, s0, s1, f0, f1)
        thread_part(given, t, q, counter, at(tiles, (q, 0)))
        restore_denormals(mode)

    @kernel
    def take_turns(
        crew, nt, cut, columns, team, reverse, offsets, shares, begin, end, counters, tiles, given
    ):
        hired, steps = hire(crew, nt), end - begin
        team = team and all_here(hired, nt)
        # A plain 0 would be a type of its own, for which `run_hired` is compiled once more.
        turn, turns = np.int64(0), count_turns(columns == 1, team, steps, phases)
        while turn < turns:
            run_hired(hired, nt, cut, part, (
                hired, turn, nt * cut, columns, team, reverse, offsets, shares, begin, end,
                counters, tiles, given,
            ))  # fmt: skip
            team, turn, turns = next_turn(turn, turns, team, at(counters, (0,)), steps, phases)
        if hired != 0:
            count_loss(hired, lost_by_waiting(nt, counters[WAITED]))
        dismiss(hired)
        return team

    return take_turns
