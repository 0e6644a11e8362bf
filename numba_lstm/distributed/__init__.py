"""Training on many processes, of one machine or many, over MPI.

Needs mpi4py and an MPI library, ``pip install 'numba_lstm[mpi]'``, which is imported on first use.
"""

from __future__ import annotations

from .cores import share_cores
from .errors import DistributedError, NonFiniteGradientError, OtherRankError
from .group import Alone, Group, group_of
from .launcher import launched
from .optimizer import DistributedOptimizer

__all__ = [
    "Alone",
    "DistributedError",
    "DistributedOptimizer",
    "Group",
    "NonFiniteGradientError",
    "OtherRankError",
    "group_of",
    "launched",
    "share_cores",
]
