"""Medians of rounds, and how sure a ratio of them is."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["geometric_mean", "interval", "ratio"]

CONFIDENCE = 0.95
_RESAMPLES = 2000


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The peer's median over our median: above 1 we are ahead."""
    return float(np.median(theirs) / np.median(ours))


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of `ratio`.

    Both are measured in the same rounds, so rounds are drawn with both of their figures. A single
    round tells nothing of its spread: the interval is then the ratio itself.
    """
    if len(ours) < 2:
        return ratio(ours, theirs), ratio(ours, theirs)
    from scipy.stats import bootstrap

    # The argument got another name in scipy 1.15.
    named = inspect.signature(bootstrap).parameters
    generator = {"rng" if "rng" in named else "random_state": np.random.default_rng(0)}

    def statistic(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.median(b, axis=axis) / np.median(a, axis=axis)

    found = bootstrap(
        (np.asarray(ours), np.asarray(theirs)),
        statistic,
        n_resamples=_RESAMPLES,
        paired=True,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        **generator,
    ).confidence_interval
    return float(found.low), float(found.high)


def geometric_mean(ratios: Iterable[float]) -> float:
    """exp of the mean logarithm: 2 and 1/2 average to 1."""
    logs = [math.log(value) for value in ratios]
    return math.exp(sum(logs) / len(logs))
