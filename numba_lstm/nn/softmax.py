"""Softmax: what is positive and adds up to 1 along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import as_cotangent, as_input, size
from ..typing import Array, ArrayLike, ArrayPullback
from .module import Module
from .pullback import once

__all__ = ["Softmax"]


class Softmax(Module):
    """y = exp(x) / Σ exp(x), summed over one axis; torch.nn.Softmax with an axis by default.

    Going back, dx = y ∘ (dy - Σ dy ∘ y).

    A loss takes logits: `losses.cross_entropy` has the softmax in it, and more digits than the
    logarithm of one. This is for probabilities, and for weights such as those of attention.

    Parameters
    ----------
    dim : int
        The axis. Negative numbers count from the end.

    Raises
    ------
    TypeError
        If `dim` is no integer.

    Examples
    --------
    >>> Softmax()([[0.0, 0.0]])
    array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = size("dim", dim, -64)

    def __call__(self, x: ArrayLike) -> Array:
        """Compute y.

        Parameters
        ----------
        x : array_like, of at least one dimension
            float64 stays float64, every other real dtype becomes float32; so do nested lists. -inf
            gives 0, unless all of an axis is -inf, which gives NaN.

        Returns
        -------
        y : numpy.ndarray, of the shape of x
            A new array.

        Raises
        ------
        TypeError
            If `x` is not real numbers.
        ValueError
            If `x` is ragged, or has no axis `dim`.
        """
        x = as_input("x", x)
        if not -x.ndim <= self.dim < x.ndim:
            raise ValueError(f"x: expected an axis {self.dim}, got shape {x.shape}")
        if x.size == 0:
            return x.copy()
        with np.errstate(all="ignore"):
            y = np.exp(x - x.max(axis=self.dim, keepdims=True))
            y /= y.sum(axis=self.dim, keepdims=True)
        return np.asarray(y)

    def vjp(self, x: ArrayLike) -> tuple[Array, ArrayPullback]:
        """Compute y, and return a pullback too.

        Parameters
        ----------
        x
            As for a call.

        Returns
        -------
        y : numpy.ndarray, of the shape of x
        pullback : callable (dy) -> dx
            dy has y's shape, None means zero. May be called once.

        Raises
        ------
        TypeError, ValueError
            As a call, naming x; the pullback naming dy.
        """
        y = self(x)
        kept, axis = y.copy(), self.dim  # the caller may write into y

        def pullback(dy: Any) -> Array:
            dy = as_cotangent("dy", dy, kept.dtype, kept.shape)
            with np.errstate(all="ignore"):
                return np.asarray(kept * (dy - (dy * kept).sum(axis=axis, keepdims=True)))

        return y, once(pullback)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return f"dim={self.dim}"
