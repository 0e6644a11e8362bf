"""The tuners of this process, by what runs; and what they found, for people."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from . import store
from .candidates import Axis, candidates
from .plan import Plan, Sizes
from .tuner import Known, Tuner

__all__ = ["report", "tuner_for"]

# Of many sizes only the last ones are known; what was settled is known from the disk, too.
_MOST = 4096

_tuners: dict[Sizes, Tuner] = {}


def tuner_for(sizes: Sizes, rule: Plan, axes: Sequence[Axis]) -> Tuner | None:
    """Give what hands out plans for calls of these sizes; None where there is but one plan.

    Parameters
    ----------
    sizes : Sizes
    rule : Plan
        What runs where nothing is measured.
    axes : sequence of Axis
        What a plan decides.
    """
    found = _tuners.get(sizes)
    if found is not None:
        return found
    all_of_them = candidates(sizes, rule, axes)
    if len(all_of_them) == 1:
        return None
    key = sizes.key()

    def keep(known: Known) -> None:
        store.keep(key, known)

    if len(_tuners) >= _MOST:
        _tuners.clear()
    return _tuners.setdefault(sizes, Tuner(all_of_them, store.find(key), keep))


def report() -> list[dict[str, Any]]:
    """What this process knows of plans: a dict for each size that was measured.

    Returns
    -------
    list of dict
        ``sizes`` (what runs, in a line), ``state`` ("searching", "steady", "busy" or "small"),
        ``plan`` (the name of the plan that runs now), ``settled`` (the one that is the fastest on a
        quiet machine), ``rule`` (what runs where nothing is measured), ``step_seconds`` and
        ``rule_step_seconds`` (medians for a step of the settled one and of the rule's; None where
        nothing is settled), ``checks`` (how many processes found it).
    """
    found = []
    for sizes, one in list(_tuners.items()):
        known, settled = one.known(), one.settled
        found.append(
            {
                "sizes": sizes.key(),
                "state": one.state(),
                "plan": one.name,
                "settled": known.plan if settled else None,
                "rule": known.rule,
                "step_seconds": known.time if settled else None,
                "rule_step_seconds": known.rule_time if settled else None,
                "checks": known.checks,
            }
        )
    return found


def _after_fork() -> None:
    _tuners.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
