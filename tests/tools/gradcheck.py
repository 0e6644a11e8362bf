"""Gradients by numbers: what every hand-derived gradient in the package is checked with.

`complex_gradient` for analytic NumPy functions, exact to rounding; `central_gradient` for
everything else, five points, good to about 1e-10 in float64; `check_vjp` for a module with its
pullback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numba_lstm.testing import STEP, central_difference, gradcheck

COMPLEX_STEP = 1e-30


def complex_gradient(f: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    """The gradient of an analytic scalar function: Im f(x + ih)/h for each element."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        moved = x.astype(complex)
        moved[place] += 1j * COMPLEX_STEP
        gradient[place] = np.imag(f(moved)) / COMPLEX_STEP
    return gradient


def central_gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, step: float = STEP
) -> np.ndarray:
    """The gradient of a scalar function of a float64 array."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(*x.shape):

        def along(s: float, place: tuple[int, ...] = place) -> float:
            moved = x.copy()
            moved[place] += s
            return float(f(moved))

        gradient[place] = central_difference(along, step)
    return gradient


def error(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest expected value (absolute where that is 0)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if not expected.size:
        return 0.0
    scale = float(np.max(np.abs(expected)))
    difference = float(np.max(np.abs(actual.astype(np.float64) - expected)))
    return difference / scale if scale > 0 else difference


def assert_close(actual: Any, expected: Any, tolerance: float, name: str = "values") -> None:
    """Fail unless `error` is at most `tolerance`; NaN fails."""
    found = error(actual, expected)
    assert found <= tolerance, f"{name}: error {found:.3g}, tolerance {tolerance:.3g}"


def check_vjp(
    module: Any,
    *args: Any,
    rng: np.random.Generator,
    tolerance: float = 1e-8,
    **options: Any,
) -> None:
    """Check a float64 module's pullback by the package's own `testing.gradcheck`."""
    gradcheck(module, *args, seed=rng, tolerance=tolerance, **options)
