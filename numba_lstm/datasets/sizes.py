"""How far the sizes of several series are apart, for which one scaling is to serve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["sizes_apart"]

# Up to here one scaling serves well enough.
_MOST = 3.0


def sizes_apart(series: Sequence[np.ndarray]) -> str | None:
    """A word about series whose sizes are far apart, or None.

    A network sees all of them on one scale. What varies a thousand times less than another series
    is a constant to it, and its errors count for nothing.

    Parameters
    ----------
    series
        The targets (T, K) of each. Those that are constant do not count.

    Returns
    -------
    str or None
        Where the standard deviations of a column differ by more than 3 times.
    """
    if len(series) < 2:
        return None
    spread = np.array([one.std(axis=0) for one in series])
    level = np.array([np.abs(one).max(axis=0) for one in series])
    factor = 1.0
    for spreads, levels in zip(spread.T, level.T):
        there = spreads[spreads > 1e-12 * levels]
        if len(there):
            factor = max(factor, float(there.max() / there.min()))
    if factor <= _MOST:
        return None
    words = f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}"
    return (
        f"the series differ in size by a factor of {words}, and one scaling serves all: the "
        "small ones are learnt badly; train them apart, or give each in shares of its own size"
    )
