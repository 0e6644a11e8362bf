"""Scaling to mean 0 and standard deviation 1, by what the training part shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import as_float

__all__ = ["Scaler"]


@dataclass(frozen=True, eq=False)
class Scaler:
    """Means and standard deviations of columns.

    Parameters
    ----------
    mean, scale : numpy.ndarray
        (C,) float64. The scale of a constant column is 1, so it becomes 0 and comes back whole.

    Examples
    --------
    >>> scaler = Scaler.fit([[1.0, 7.5], [3.0, 7.5]])
    >>> scaler.transform([[5.0, 7.5]]).tolist(), scaler.inverse([[0.0, 0.0]]).tolist()
    ([[3.0, 0.0]], [[2.0, 7.5]])
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: Any, weights: Any = None) -> Scaler:
        """Measure columns; missing values (NaN) do not count.

        Parameters
        ----------
        values
            (N, C), or a list or tuple of arrays (T_i, C) that count as one.
        weights
            (N,), how much each row counts, at least 0; by default all alike.

        Raises
        ------
        ValueError
            A column has no value at all, or values whose deviation is no finite number.
        """
        if isinstance(values, list | tuple) and np.ndim(values[0]) == 2:
            values = np.concatenate([np.asarray(one, dtype=np.float64) for one in values])
        array = as_float("values", values, np.dtype(np.float64), ndim=2)
        there: Any = ~np.isnan(array)
        if weights is not None:
            float64 = np.dtype(np.float64)
            there = there * as_float("weights", weights, float64, shape=array.shape[:1])[:, None]
        count = np.sum(there, axis=0)
        if not count.all():
            raise ValueError(f"values: column {int(np.argmin(count))} has no value at all")
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            mean = np.nansum(array * there, axis=0) / count
            scale = np.sqrt(np.nansum((array - mean) ** 2 * there, axis=0) / count)
        wrong = np.flatnonzero(~np.isfinite(scale))
        if wrong.size:
            raise ValueError(
                f"values: column {wrong[0]} has numbers too large to scale, of a size up to "
                f"{np.nanmax(np.abs(array[:, wrong[0]])):g}"
            )
        # What rounding leaves of a constant is no scale.
        constant = scale <= 8 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1e-300)
        return cls(mean, np.where(constant, 1.0, scale))

    def transform(self, values: Any) -> np.ndarray:
        """Return ``(values - mean) / scale``.

        Parameters
        ----------
        values
            (..., C).
        """
        return (self._checked(values) - self.mean) / self.scale

    def inverse(self, values: Any) -> np.ndarray:
        """Return ``values * scale + mean``.

        Parameters
        ----------
        values
            (..., C), or (..., K) for the first K columns.
        """
        array = self._checked(values, fewer=True)
        width = array.shape[-1]
        return array * self.scale[:width] + self.mean[:width]

    def to_json(self) -> dict[str, list[float]]:
        """Return plain lists."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Sequence[float]]) -> Scaler:
        """Make a scaler of what `to_json` gave.

        Parameters
        ----------
        data
            Its ``mean`` and ``scale``.
        """
        return cls(np.array(data["mean"], dtype=float), np.array(data["scale"], dtype=float))

    def _checked(self, values: Any, fewer: bool = False) -> np.ndarray:
        array = as_float("values", values, np.dtype(np.float64))
        width = array.shape[-1] if array.ndim else 0
        if width != len(self.mean) and not (fewer and 0 < width < len(self.mean)):
            raise ValueError(f"values: expected {len(self.mean)} columns, got shape {array.shape}")
        return array
