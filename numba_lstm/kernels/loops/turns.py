"""What threads run between one fork and its join: a turn.

- Threads that have rows of their own never wait. The whole sequence is one turn.
- A team shares panels and waits after each phase. The whole sequence is one turn, too.
- Otherwise each phase of each step is a turn, and the join is what makes threads wait.

A team that does not come together has done nothing. Its turn is taken again, phase by phase.
"""

from __future__ import annotations

from ...jit import kernel
from .team import failed, gather

__all__ = ["count_turns", "next_turn", "steps_of_turn"]


@kernel
def count_turns(alone, team, steps, phases):
    """How many turns it takes to run `steps` steps of `phases` phases."""
    return 1 if alone or team else steps * phases


@kernel
def steps_of_turn(turn, alone, team, counter, nt, begin, end, phases):
    """(s0, s1, f0, f1): steps s0 … s1 and of each the phases f0 … f1.

    Parameters
    ----------
    turn : int
    alone, team : bool
        Whether each of the nt threads has rows of its own; whether they are a team.
    counter : pointer to int64
        The team's. A thread whose team does not come together gets no steps.
    begin, end : int
        The steps that all turns together run.
    """
    if alone:
        return begin, end, 0, phases
    if team:
        return begin, end if gather(counter, nt) else begin, 0, phases
    step, phase = begin + turn // phases, turn % phases
    return step, step + 1, phase, phase + 1


@kernel
def next_turn(turn, turns, team, counter, steps, phases):
    """(team, turn, turns) after a turn: whether there still is a team, and what comes next."""
    if team and failed(counter):
        return False, 0, steps * phases
    return team, turn + 1, turns
