"""Whether plans are chosen by measurement: one switch for the process."""

from __future__ import annotations

import os

__all__ = ["get_tuning", "set_tuning"]


def _told() -> bool:
    """``NUMBA_LSTM_TUNE``, where 0 means no."""
    return os.environ.get("NUMBA_LSTM_TUNE", "").strip().lower() not in ("0", "false", "no", "off")


# Read by each call of a module, as a part of what its plan is looked up by.
on = _told()


def get_tuning() -> bool:
    """Whether plans are chosen by measurement: see `set_tuning`.

    Returns
    -------
    bool
        Unless `set_tuning` chose: False if ``NUMBA_LSTM_TUNE`` is 0 in the environment, else True.
    """
    return on


def set_tuning(enabled: bool) -> None:
    """Choose by measurement how recurrent layers run, or by rules alone.

    Where measured, the first calls of each size run in different ways (number of threads, what
    they share, when inputs are multiplied), and the fastest is kept for later calls and, on disk,
    for later processes. Results do not depend on it, to the bit. Calls of less than 20 µs on one
    thread are never measured. Otherwise rules from sizes and caches choose, nothing is timed, and
    nothing is read or written.

    Parameters
    ----------
    enabled : bool
        False also stops what is being measured. True goes on where it stopped.

    Raises
    ------
    TypeError
        If `enabled` is no bool.
    """
    global on
    from ..checks import flag

    on = flag("enabled", enabled)
