"""The rule that chooses threads and schedule from sizes, caches and threads."""

from __future__ import annotations

from typing import NamedTuple

from ... import threads, tuning
from ..blocks import MR
from .forward import FUSED, PROJECTED

__all__ = ["Schedule", "choose", "input_source"]


class Schedule(NamedTuple):
    """How a time loop runs: on `nt` threads, which share the panels in `columns` parts.

    As a `team` they stay together for all steps; see `team`.
    """

    nt: int
    columns: int
    team: bool = False


def choose(steps: int, batch: int, panels: int, weight_bytes: int, flops: float) -> Schedule:
    """Rows or panels for a time loop.

    Parameters
    ----------
    steps, batch, panels : int
        T, B, and the panels (or vectors) of hidden units.
    weight_bytes : int
        The packed weights that a step reads.
    flops : float
        Of the whole loop.
    """
    nt = threads.threads_for(flops)
    if nt == 1:
        return Schedule(1, 1)
    # Sharing panels costs a wait each step: too much for small steps.
    per_step = flops / steps
    team = steps > 1
    least = tuning.MIN_TEAM_WORK if team else tuning.MIN_PARALLEL_WORK
    rows = min(batch, nt)
    if batch >= nt * MR or (batch >= nt and weight_bytes <= tuning.L2_BYTES):
        return Schedule(nt, 1)
    if per_step < least:
        return Schedule(rows, 1) if rows else Schedule(1, 1)
    # Few rows: one part of the rows for each full block of MR rows; the other threads share panels.
    rows = max(1, min(nt, batch // MR))
    while nt % rows:
        rows -= 1
    columns = min(nt // rows, panels)
    return Schedule(rows * columns, columns, team and columns > 1)


def input_source(steps: int, rows: int, flops: float) -> int:
    """FUSED or PROJECTED, for a thread's `rows` of the batch and the whole loop's `flops`.

    With few rows the microkernel's blocks are not full in a step, but they are over all steps at
    once. Projecting costs a call more, and z goes through memory once more.
    """
    few = rows < tuning.PROJECT_ROWS and steps > 1 and flops >= tuning.MIN_PARALLEL_WORK
    return PROJECTED if few else FUSED
