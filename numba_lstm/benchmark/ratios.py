"""Medians of rounds, means of runs, and how sure a ratio of them is."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["geometric_mean", "interval", "middle", "ratio"]

CONFIDENCE = 0.95
_RESAMPLES = 2000


Runs = Sequence[Sequence[float]]
"""Figures by run and round."""


def middle(runs: Runs) -> float:
    """The geometric mean of the runs' medians.

    Not the median of all rounds: where a machine is slow in one run of two, that one lies anywhere
    between both. A ratio of 0.77 came out of 1.01 and 1.04.
    """
    return geometric_mean(float(np.median(one)) for one in runs)


def ratio(ours: Runs, theirs: Runs) -> float:
    """The peer's `middle` over ours, which is the geometric mean of the runs' own ratios.

    Above 1 we are ahead.
    """
    return middle(theirs) / middle(ours)


def interval(ours: Runs, theirs: Runs) -> tuple[float, float]:
    """The 95 % bootstrap interval of `ratio`.

    Both are measured in the same rounds, so rounds are drawn with both of their figures, each run's
    by themselves. A single round tells nothing of its spread. It tells how rounds scatter within
    runs, and not by how much another run would differ: for that look at the runs' own ratios.
    """
    draws = np.random.default_rng(0)  # one for all runs, of which each would draw the same rounds
    drawn = np.mean([_logs(*run, draws) for run in zip(ours, theirs, strict=True)], axis=0)
    low, high = np.exp(np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    return float(low), float(high)


def _logs(ours: Sequence[float], theirs: Sequence[float], draws: np.random.Generator) -> np.ndarray:
    """Logarithms of a run's ratio, of rounds drawn again and again."""

    def statistic(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.log(np.median(b, axis=axis) / np.median(a, axis=axis))

    if len(ours) < 2:
        return np.full(_RESAMPLES, statistic(np.asarray(ours), np.asarray(theirs)))
    from scipy.stats import bootstrap

    # The argument got another name in scipy 1.15.
    named = inspect.signature(bootstrap).parameters
    generator = {"rng" if "rng" in named else "random_state": draws}
    return bootstrap(
        (np.asarray(ours), np.asarray(theirs)),
        statistic,
        n_resamples=_RESAMPLES,
        paired=True,
        vectorized=True,
        method="percentile",
        **generator,
    ).bootstrap_distribution


def geometric_mean(ratios: Iterable[float]) -> float:
    """exp of the mean logarithm: 2 and 1/2 average to 1."""
    found = list(ratios)
    if len(found) == 1:
        return found[0]  # to the last bit
    if 0 in found:  # of bytes that the system does not tell
        return 0.0
    return math.exp(sum(map(math.log, found)) / len(found))
