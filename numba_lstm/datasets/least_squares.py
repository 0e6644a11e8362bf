"""Linear equations by least squares, for several strengths of a ridge at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Equations", "ridge_path"]


class Equations(NamedTuple):
    """M equations of P inputs: ``outputs = intercept + inputs @ slopes``.

    Attributes
    ----------
    slopes : numpy.ndarray
        (P, M) float64.
    intercept : numpy.ndarray
        (M,) float64.
    """

    slopes: np.ndarray
    intercept: np.ndarray

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Give the outputs (N, M) of inputs (N, P)."""
        return inputs @ self.slopes + self.intercept


def ridge_path(inputs: np.ndarray, targets: np.ndarray, ridges: Sequence[float]) -> list[Equations]:
    """Solve a ridge regression for several penalties, with one decomposition for all of them.

    The inputs are brought to mean 0 and variance 1, so that the penalty is in units of their
    variance, and does not depend on the number of rows::

        slopes = (ZᵀZ / N + ridge · 1)⁻¹ Zᵀ(Y - mean(Y)) / N

    Columns that are constant, but for rounding, get slopes of zero.

    Parameters
    ----------
    inputs
        (N, P).
    targets
        (N, M).
    ridges
        The penalties, each above 0.

    Returns
    -------
    list of Equations
        One for each penalty.
    """
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    used = scale > 1e-9 * np.maximum(np.abs(mean), 1e-290)  # normal numbers
    scale = np.where(used, scale, 1.0)
    z = (inputs - mean) / scale * used
    middle = targets.mean(axis=0)
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    turned = vectors.T @ (z.T @ (targets - middle)) / len(z)
    found = []
    for ridge in ridges:
        slopes = vectors @ (turned / (np.maximum(values, 0.0) + ridge)[:, None])
        slopes *= (used / scale)[:, None]
        found.append(Equations(slopes, middle - mean @ slopes))
    return found
