"""Resident memory of this process."""

from __future__ import annotations

import sys

__all__ = ["peak_bytes", "resident_bytes"]


def _status(key: str) -> int | None:
    """A field of Linux's /proc/self/status in bytes, None elsewhere."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def peak_bytes() -> int | None:
    """The most that was ever resident, or None where the system does not tell."""
    # ru_maxrss would begin with the parent's memory at the time of the fork.
    found = _status("VmHWM")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident_bytes() -> int | None:
    """What is resident now, or None where the system does not tell."""
    return _status("VmRSS")
