"""Cases drawn by a seed: shapes that nobody chose, and that no rule can know."""

from __future__ import annotations

import numpy as np

from .cases import Case, flops

__all__ = ["draw"]

# Ranges of B, H, I and of the milliseconds that an inference takes. All are drawn log-uniformly.
B, H, I = (1, 256), (32, 1200), (8, 1000)
MILLISECONDS = (5.0, 200.0)
# The machine that T is reckoned for, about two cores with AVX2. It is fixed, not measured: the same
# seed means the same shapes everywhere.
_FLOPS, _BYTES, _STEP = 150e9, 60e9, 1.5e-6  # a second, a second from caches, seconds
# Steps of a sequence: torch takes minutes to train on tens of thousands. As a step takes 1.5 us at
# least, so many still take 5 ms.
_MOST_STEPS = 4000
_MOST_FLOATS = 1 << 27  # of x, y, gates and states together


def draw(n: int, seed: int) -> list[Case]:
    """`n` cases of one LSTM layer, each for inference and training."""
    rng = np.random.default_rng(seed)
    return [_draw_one(rng) for _ in range(n)]


def _draw_one(rng: np.random.Generator) -> Case:
    b, h, i = (round(_log_uniform(rng, *ends)) for ends in (B, H, I))
    seconds = 1e-3 * _log_uniform(rng, *MILLISECONDS)
    most = min(_MOST_STEPS, _MOST_FLOATS // (b * (i + 6 * h)))
    t = max(1, min(most, int(seconds / step_seconds(b, i, h))))
    return Case(f"random-{t}x{b}x{i}x{h}", ("infer", "train"), t, b, i, h)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def step_seconds(b: int, i: int, h: int) -> float:
    """What a step of an inference takes there: its products, or its weights' way from the cache."""
    work = flops(Case("step", (), 1, b, i, h), "infer") / _FLOPS
    weights = 4.0 * (4 * h * h) / _BYTES
    return _STEP + max(work, weights)
