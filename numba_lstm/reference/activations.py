"""The nonlinearities of the recurrent cells, for real and complex arrays.

Where a function has a corner it branches on the real part, so that a complex step differentiates
the branch that is taken.
"""

from __future__ import annotations

import numpy as np

__all__ = ["clip", "relu", "sigmoid"]

Array = np.ndarray


def sigmoid(z: Array) -> Array:
    """Return 1/(1 + e⁻ᶻ), written so that no exponential overflows; z may be complex."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def relu(z: Array) -> Array:
    """Return max(z, 0); z may be complex. The derivative at 0 is 0, as in torch."""
    return np.where(z.real > 0, z, 0.0)


def clip(z: Array, bound: float | None) -> tuple[Array, Array]:
    """Hold z within [-bound, bound]; no bound at all if that is None.

    Returns
    -------
    clipped : array, z's shape
    slope : array of bool, z's shape
        The derivative: whether z lies strictly inside.
    """
    if bound is None:
        return z, np.ones(z.shape, bool)
    inside = np.abs(z.real) < bound
    return np.where(inside, z, np.sign(z.real) * bound), inside
