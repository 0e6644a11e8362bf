"""The cores of a machine, shared out among the ranks that run on it."""

from __future__ import annotations

import os
import platform

from .. import threads
from .group import Group

__all__ = ["share_cores"]


def share_cores(group: Group) -> None:
    """Have this rank's kernels run on its share of the cores, unless something else says.

    Ranks that a launcher has bound to cores of their own have those. Ranks that may run on the same
    cores share them. ``NUMBA_NUM_THREADS`` and ``OMP_NUM_THREADS`` win.

    Parameters
    ----------
    group : Group
        All ranks must call it.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    here = (platform.node(), cores)
    same = group.all_gather(here).count(here)
    _, on_machine = group.node()
    if not {"NUMBA_NUM_THREADS", "OMP_NUM_THREADS"} & set(os.environ):
        mine = threads.get_num_threads() // min(same, on_machine)
        threads.set_num_threads(max(1, mine))
