"""Which plans are worth trying for some sizes.

A plan is put together from axes, each of which sets some of its fields: how threads share the work,
where the input's part comes from. The candidates are all combinations. Nothing here knows a shape
or a machine: an axis lists what can run at all, and measurement does the rest.

To add an axis: a field of `Plan` with a default, a class with `options` and `label`, and a place in
`FORWARD`, `BACKWARD` or both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple, Protocol

from ..kernels.loops.forward import FUSED, PROJECTED, TOKENS
from ..kernels.loops.schedule import Schedule
from .plan import Plan, Sizes

__all__ = ["BACKWARD", "FORWARD", "Axis", "Candidate", "candidates", "name_of"]

# Each costs a call at least. Combinations beyond that are those furthest from the rule's plan.
MOST = 40


class Candidate(NamedTuple):
    """A plan and its name, which is the same in every process and on every machine."""

    name: str
    plan: Plan


class Axis(Protocol):
    """One thing that a plan decides."""

    def options(self, sizes: Sizes) -> list[dict[str, Any]]:
        """Fields of `Plan` and their values, for each way that can run."""

    def label(self, plan: Plan) -> str:
        """What the plan's name says of it; may be empty."""


class Schedules:
    """How many threads run, and what they share.

    - ``rows:N``: each of N threads has rows of the batch, and waits for nobody.
    - ``panels:N``: each has hidden units; ``team`` where the threads stay together for all steps.
    - ``grid:RxC``: R parts of the rows times C parts of the units.
    """

    def options(self, sizes: Sizes) -> list[dict[str, Any]]:
        """All threads first, then powers of two below, then one."""
        below = [1 << k for k in range(sizes.threads.bit_length() - 1, -1, -1)]
        numbers = [sizes.threads, *(n for n in below if n < sizes.threads)]
        return [{"schedule": one} for n in numbers for one in self._on(n, sizes)]

    def _on(self, nt: int, sizes: Sizes) -> Iterator[Schedule]:
        for columns in (c for c in range(1, nt + 1) if nt % c == 0):
            rows = nt // columns
            if nt == 1 or (rows <= sizes.batch and columns <= sizes.panels):
                yield Schedule(nt, columns, columns > 1 and sizes.steps > 1)

    def label(self, plan: Plan) -> str:
        """``rows:N``, ``panels:N`` or ``grid:RxC``, and ``team``."""
        nt, columns, team = plan.schedule
        together = " team" if team else ""
        if columns == 1:
            return f"rows:{nt}"
        return (
            f"panels:{nt}{together}"
            if columns == nt
            else f"grid:{nt // columns}x{columns}{together}"
        )


class Sources:
    """Whether each step multiplies its inputs, or one product does it for all steps beforehand."""

    def options(self, sizes: Sizes) -> list[dict[str, Any]]:
        """Both, where that is free."""
        fused: dict[str, Any] = {"source": FUSED, "h_column": sizes.inputs}
        if not sizes.free_source:
            return [{"source": TOKENS, "h_column": 0} if sizes.tokens else fused]
        projected: dict[str, Any] = {"source": PROJECTED, "h_column": 0}
        return [fused, projected] if sizes.steps > 1 else [fused]

    def label(self, plan: Plan) -> str:
        """``fused``, ``projected``, or ``tokens``."""
        return {FUSED: "fused", PROJECTED: "projected", TOKENS: "tokens"}[plan.source]


SCHEDULES = Schedules()
FORWARD: tuple[Axis, ...] = (SCHEDULES, Sources())
BACKWARD: tuple[Axis, ...] = (SCHEDULES,)


def name_of(plan: Plan, axes: Sequence[Axis]) -> str:
    """Name a plan: "panels:2 team fused"."""
    return " ".join(filter(None, (axis.label(plan) for axis in axes)))


def candidates(sizes: Sizes, rule: Plan, axes: Sequence[Axis]) -> list[Candidate]:
    """All plans for these sizes, the rule's first, then those that differ from it in fewer axes.

    Parameters
    ----------
    sizes : Sizes
    rule : Plan
        What runs where nothing is measured.
    axes : sequence of Axis
        `FORWARD` or `BACKWARD`.
    """

    def strangeness(plan: Plan) -> int:
        return sum(axis.label(plan) != axis.label(rule) for axis in axes)

    plans = []
    for fields in product(*(axis.options(sizes) for axis in axes)):
        merged: dict[str, Any] = {}
        for some in fields:
            merged.update(some)
        plans.append(Plan(**merged))
    found: dict[str, Plan] = {name_of(rule, axes): rule}
    for plan in sorted(plans, key=strangeness):
        found.setdefault(name_of(plan, axes), plan)
    return [Candidate(name, plan) for name, plan in list(found.items())[:MOST]]
