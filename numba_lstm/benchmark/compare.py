"""Whether a peer computed the same: only then is its time a time for the same work."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["TOLERANCE", "disagreement"]

# Of the largest value of an array. float32 sums over thousands of steps in another order differ by
# 6e-6 at most in the whole grid; a wrong gate or sign, or a term left out, by percents.
TOLERANCE = 1e-4


def disagreement(
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    tolerance: float = TOLERANCE,
) -> str | None:
    """The first difference between results of the same names, in words; None where there is none.

    An array agrees if no item is off by more than `tolerance` times the largest. Not a number never
    agrees.
    """
    if sorted(ours) != sorted(theirs):
        return f"results {sorted(theirs)} instead of {sorted(ours)}"
    for name in ours:
        a, b = np.asarray(ours[name], np.float64), np.asarray(theirs[name], np.float64)
        if a.shape != b.shape:
            return f"{name} has shape {a.shape}, and theirs {b.shape}"
        if a.size == 0:
            continue
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return f"{name} is not finite"
        off, largest = np.abs(a - b).max(), np.abs(b).max()
        if not off <= tolerance * largest:
            return f"{name} is off by {off:.2g}, where the largest value is {largest:.2g}"
    return None
