"""What started this process, and the MPI library that it runs with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

__all__ = ["launched", "mpi"]

# How many ranks there are, by launcher: MPICH's, Intel's and Cray's (PMI), Open MPI's, MVAPICH's.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
# Slurm tells how many tasks a job has to its batch script, too, which is one process. Only where
# `srun` also says how its tasks find each other has it started ranks.
_SLURM_SIZES = ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
_SLURM_RANKS = ("PMI_RANK", "PMI_FD", "PMIX_RANK")


def launched(environment: Mapping[str, str] | None = None) -> int:
    """Tell how many ranks the launcher says there are, from the environment alone.

    Nothing of MPI is imported, so that a program that runs alone need not have it.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Without it, this process's.

    Returns
    -------
    int
        1 where no launcher is known.
    """
    known = os.environ if environment is None else environment
    by_slurm = any(name in known for name in _SLURM_RANKS)
    for name in (*_SIZES, *(_SLURM_SIZES if by_slurm else ())):
        try:
            size = int(known[name])
        except (KeyError, ValueError):
            continue
        if size > 0:
            return size
    return 1


def mpi() -> Any:
    """Import ``mpi4py.MPI``, which initialises MPI.

    Raises
    ------
    ImportError
        If mpi4py, or the MPI library that it looks for, is not installed.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without a library
        raise ImportError(
            "training on several ranks needs mpi4py and an MPI library: "
            "pip install 'numba_lstm[mpi]' brings both; on a cluster that has its own MPI, load "
            f"that and pip install mpi4py ({error})"
        ) from error
    return MPI


def check_launcher(size: int, library: str, environment: Mapping[str, str] | None = None) -> str:
    """Say what is wrong where the launcher started ranks that the library does not see, or ``""``.

    Then each process would believe that it is alone: n runs that write the same files.
    """
    expected = launched(environment)
    if size > 1 or expected == 1:
        return ""
    first = (library.strip().splitlines() or ["an unknown library"])[0].strip("\0 ")
    return (
        f"the launcher started {expected} ranks, but {first}, with which mpi4py runs, sees one: "
        "launcher and library must be of the same MPI. Use the mpiexec that came with the library, "
        "or choose the launcher's library: pip uninstall mpich, or MPI4PY_MPIABI=openmpi"
    )
