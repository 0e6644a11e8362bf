"""Running a driver as so many threads would, on however many cores there are."""

from __future__ import annotations

from typing import Any


def run_as(driver: Any, nt: int, *args: Any) -> None:
    """``driver(nt, *args)``; where the pool has fewer threads, its parts one after the other."""
    import numba

    if nt <= numba.config.NUMBA_NUM_THREADS:
        driver(nt, *args)
    else:
        driver.function(nt, *args)
