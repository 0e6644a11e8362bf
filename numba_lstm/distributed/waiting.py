"""A limit to how long a rank waits for the others to begin."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .launcher import launched, number_of, pmi_file

__all__ = ["limit_of", "waiting_for_ranks"]

_VARIABLE = "NUMBA_LSTM_MPI_WAIT"
# Seconds. A thousand ranks that import the package from one shared disk begin minutes apart.
_LIMIT = 300.0
# So much later does each rank speak than the one before, so that as a rule one does.
_LATER = 0.5
_LATEST = 20 * _LATER
_WATCHER = Path(__file__).with_name("_watcher.py")
_LONGEST = 1e6
_CODE = 1


def limit_of(environment: Mapping[str, str] | None = None) -> float:
    """Tell how many seconds a rank waits for the others to begin.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Without it, this process's.

    Returns
    -------
    float
        That of ``NUMBA_LSTM_MPI_WAIT``, or 300; infinity where that is 0, or more than 11 days.

    Raises
    ------
    ValueError
        If the variable is no number of at least 0.
    """
    text = (os.environ if environment is None else environment).get(_VARIABLE, "").strip()
    try:
        seconds = float(text) if text else _LIMIT
    except ValueError:
        seconds = -1.0
    if not seconds >= 0.0:
        raise ValueError(f"{_VARIABLE}: expected seconds, or 0 for no limit, got {text!r}")
    return seconds if 0.0 < seconds < _LONGEST else math.inf


@contextlib.contextmanager
def waiting_for_ranks() -> Iterator[None]:
    """Within it, as MPI starts and the first message is sent, others are not waited for for ever.

    MPI waits in its first call, where Python can do nothing, so that another process watches. It is
    started only before MPI is: some networks do not bear a fork after that.

    Raises
    ------
    ValueError
        As `limit_of`.
    """
    seconds = limit_of()
    started = "mpi4py.MPI" in sys.modules
    there = sys.executable and _WATCHER.is_file()  # which it is not in a zip
    if seconds == math.inf or started or not there or os.name == "nt":
        yield
        return
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # no process to be had: then there is no limit
            held.enter_context(_watched(seconds))
        yield


@contextlib.contextmanager
def _watched(seconds: float) -> Iterator[None]:
    fd, rank = pmi_file(), number_of()
    words = (
        f"rank {rank}: waited {seconds:g} s for the other ranks of {launched()}, of which some did "
        "not begin: what they print says why, or is the package missing on their machines? "
        f"{_VARIABLE}=SECONDS waits longer"
    )
    after = seconds + min(rank * _LATER, _LATEST)
    watcher = subprocess.Popen(
        # Without site, which takes most of an interpreter's start.
        [sys.executable, "-I", "-S", str(_WATCHER),
         str(after), str(os.getpid()), str(-1 if fd is None else fd), str(_CODE), words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=() if fd is None else (fd,),
        start_new_session=True,  # Ctrl-C is for the ranks
    )  # fmt: skip
    try:
        yield
    finally:
        assert watcher.stdin is not None
        watcher.stdin.close()
        watcher.wait()
