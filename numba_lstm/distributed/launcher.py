"""What started this process, and the MPI library that it runs with."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Mapping
from typing import Any

from .errors import DistributedError

__all__ = ["LAST_WORDS", "end_job", "launched", "mpi", "number_of", "pmi_file"]

#: Seconds. MPICH's launcher passes on what ranks print; when it is to end a job it kills them, and
#: drops what it has not read yet: without a wait the message was lost in one run of six.
LAST_WORDS = 0.2

# How many ranks there are, by launcher: MPICH's, Intel's and Cray's (PMI), Open MPI's, MVAPICH's.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
# Slurm tells how many tasks a job has to its batch script, too, which is one process. Only where
# `srun` also says how its tasks find each other has it started ranks.
_SLURM_SIZES = ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
_SLURM_RANKS = ("PMI_RANK", "PMI_FD", "PMIX_RANK")
# A rank's number, by launcher.
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")
_OPT_OUT = "A command that a rank of another program started trains alone with NUMBA_LSTM_MPI=0"
_ALONE = ("0", "false", "no", "off")


def launched(environment: Mapping[str, str] | None = None) -> int:
    """Tell how many ranks the launcher says there are, from the environment alone.

    Nothing of MPI is imported, so that a program that runs alone need not have it. A launcher's
    variables are inherited: a command that a rank of some program starts would take itself for a
    rank, and wait for others. There ``NUMBA_LSTM_MPI=0`` says that it is alone.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Without it, this process's.

    Returns
    -------
    int
        1 where no launcher is known, or where it is not to be looked for.
    """
    known = os.environ if environment is None else environment
    if known.get("NUMBA_LSTM_MPI", "").strip().lower() in _ALONE:
        return 1
    by_slurm = any(name in known for name in _SLURM_RANKS)
    for name in (*_SIZES, *(_SLURM_SIZES if by_slurm else ())):
        try:
            size = int(known[name])
        except (KeyError, ValueError):
            continue
        if size > 0:
            return size
    return 1


def number_of(environment: Mapping[str, str] | None = None) -> int:
    """Tell this rank's number, from the environment alone; 0 where no launcher tells it."""
    known = os.environ if environment is None else environment
    for name in _RANKS:
        if known.get(name, "").isdecimal():
            return int(known[name])
    return 0


def pmi_file() -> int | None:
    """The descriptor on which MPICH's launcher listens to this rank, or None."""
    try:
        fd = int(os.environ["PMI_FD"])
        # A process that a rank started inherits the variable, and may have another file there.
        return fd if stat.S_ISSOCK(os.fstat(fd).st_mode) else None
    except (KeyError, ValueError, OSError, OverflowError):
        return None


def end_job(code: int) -> None:
    """Have the launcher end all ranks, where MPI has not been started here and cannot be.

    MPICH's does not end ranks that wait for one which left before it joined them; it does when it
    is told. Others' end all when one leaves with an error, and are not told.

    Parameters
    ----------
    code : int
        What ``mpiexec`` is to end with.
    """
    if (fd := pmi_file()) is not None:
        with contextlib.suppress(OSError):
            os.write(fd, f"cmd=abort exitcode={code}\n".encode())


def mpi() -> Any:
    """Import ``mpi4py.MPI``, which initialises MPI.

    Raises
    ------
    ImportError
        If mpi4py, or the MPI library that it looks for, is not installed.
    DistributedError
        If this process has a launcher's variables, but not its connection: MPI would end it.
    """
    if "mpi4py.MPI" not in sys.modules and _inherited():
        raise DistributedError(
            "PMI_FD: expected the launcher's connection to this rank, got a descriptor that is not "
            f"open: the launcher started not this process, but one that started it. {_OPT_OUT}"
        )
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without a library
        raise ImportError(
            "training on several ranks needs mpi4py and an MPI library: "
            "pip install 'numba_lstm[mpi]' brings both; on a cluster that has its own MPI, load "
            f"that and pip install mpi4py ({error})"
        ) from error
    return MPI


def _inherited() -> bool:
    """Whether this process has MPICH's variables from one that the launcher started."""
    try:
        os.fstat(int(os.environ["PMI_FD"]))
    except OSError:
        return True
    except (KeyError, ValueError, OverflowError):
        pass
    return False


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
        "or choose the launcher's library: pip uninstall mpich, or MPI4PY_MPIABI=openmpi. "
        f"{_OPT_OUT}"
    )
