"""What a plan is, and what it is made for."""

from __future__ import annotations

from typing import NamedTuple

from ..kernels.loops.forward import FUSED
from ..kernels.loops.schedule import Schedule

__all__ = ["Plan", "Sizes", "near", "near_mean"]


class Plan(NamedTuple):
    """How a time loop runs.

    Attributes
    ----------
    schedule : Schedule
        Threads, and how they share rows and panels.
    source : int
        Forward: FUSED, PROJECTED or TOKENS, where the input's part of z comes from.
    h_column : int
        Forward: the column of u in which h begins: after x_t, where both stand in one row.
    """

    schedule: Schedule
    source: int = FUSED
    h_column: int = 0


class Sizes(NamedTuple):
    """What a plan is chosen for: calls that agree in all of these share what was measured.

    Attributes
    ----------
    kind : str
        What runs: "infer", "forward" or "backward".
    cell, dtype : str
        The cell's name, and the weights' dtype.
    inputs, hidden, size : int
        I, H, and the size of h.
    batch, steps : int
        B and T as `near` gives them; with lengths the mean number of rows in a step.
    panels : int
        P, the panels of hidden units.
    threads : int
        The most threads that it may run on.
    free_source : bool
        Whether inputs may be multiplied in each step or for all steps beforehand.
    ragged, tokens : bool
        Whether sequences have different lengths, and whether the input is tokens.
    """

    kind: str
    cell: str
    dtype: str
    inputs: int
    hidden: int
    size: int
    batch: int
    steps: int
    panels: int
    threads: int
    free_source: bool
    ragged: bool
    tokens: bool

    def key(self) -> str:
        """Tell the sizes in a line, which names them in the file of plans."""
        more = [word for word in ("ragged", "tokens") if getattr(self, word)]
        return " ".join(
            [
                f"{self.kind} {self.cell} {self.dtype} T={self.steps} B={self.batch}",
                f"I={self.inputs} H={self.hidden} h={self.size} threads={self.threads}",
                *more,
            ]
        )


def near(count: int) -> int:
    """`count` up to 8, else the power of two at or above it: what counts as the same length."""
    return count if count <= 8 else 1 << (count - 1).bit_length()


def near_mean(rows: int, ragged: bool) -> int:
    """How many rows a step has; where lengths differ, rounded up to a multiple of 1/8 to 1/4 of it.

    Batches of other lengths have other means, and none of them would come often enough.
    """
    if not ragged or rows <= 8:
        return rows
    grain = 1 << (rows.bit_length() - 3)
    return -(-rows // grain) * grain
