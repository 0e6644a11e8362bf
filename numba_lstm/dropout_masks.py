"""The random masks of every kind of dropout: NumPy generators in, arrays of factors out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .quiet import without_errors

__all__ = ["apply_mask", "draw_mask", "draw_ones"]


def draw_mask(
    rng: np.random.Generator, shape: Sequence[int], p: float, dtype: np.dtype
) -> np.ndarray:
    """Draw a dropout mask: independent elements, 0 with probability p and else 1/(1-p).

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : sequence of int
    p : float
        From 0 to 1, honoured exactly (to float64's rounding), not to the random bytes' resolution.
    dtype : numpy.dtype
        float32 or float64. The same elements are dropped in both.

    Returns
    -------
    mask : numpy.ndarray
        C-contiguous. All ones for p = 0 and all zeros for p = 1, with nothing drawn.

    Notes
    -----
    One random byte decides for an element, four times faster than a float each: below ⌊256 p⌋ it is
    dropped, above it is kept. Of those that hit ⌊256 p⌋ itself, one in 256, the right part is
    dropped by a second number.
    """
    shape = tuple(shape)
    dtype = np.dtype(dtype)
    if p <= 0:
        return np.ones(shape, dtype)
    if p >= 1:
        return np.zeros(shape, dtype)
    return np.multiply(_kept(rng, shape, p), dtype.type(1 / (1 - p)), dtype=dtype)


def draw_ones(
    rng: np.random.Generator, shape: Sequence[int], p: float, dtype: np.dtype
) -> np.ndarray:
    """Draw independent elements, 1 with probability p and else 0; otherwise as `draw_mask`."""
    shape = tuple(shape)
    if p <= 0:
        return np.zeros(shape, dtype)
    if p >= 1:
        return np.ones(shape, dtype)
    return _kept(rng, shape, 1 - p).astype(dtype)


@without_errors
def apply_mask(values: np.ndarray, mask: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Multiply by a mask; tiny and huge values raise nothing, whatever ``numpy.seterr`` says."""
    return np.multiply(values, mask, out=out)


def _kept(rng: np.random.Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    """Draw booleans, false with probability p, which is neither 0 nor 1."""
    count = int(np.prod(shape, dtype=np.int64))
    words = rng.integers(0, np.iinfo(np.uint64).max, -(-count // 8), np.uint64, endpoint=True)
    draws = words.view(np.uint8)[:count]
    whole, rest = divmod(p * 256, 1)
    keep = draws >= int(whole)
    if rest:
        ties = np.flatnonzero(draws == int(whole))
        keep[ties] = rng.random(ties.size) >= rest
    return keep.reshape(shape)
