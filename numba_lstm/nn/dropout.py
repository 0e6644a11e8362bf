"""Dropout, inverted: what is kept is scaled up in training, so that evaluation does nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import as_cotangent, as_input, generator, probability
from ..dropout_masks import apply_mask, draw_mask
from ..typing import Array, ArrayLike, ArrayPullback, Seed
from .module import Module
from .pullback import once

__all__ = ["Dropout"]


class Dropout(Module):
    """Set each element to zero with probability `p` in training, and scale the rest by 1/(1-p).

    In training y = x ∘ m, where every element of the mask m is 0 with probability p and else
    1/(1-p); in evaluation y = x. Both give a new array.

    Parameters
    ----------
    p : float
        From 0 to 1.
    seed : None, int or numpy.random.Generator
        Where the masks come from. Modules that are given one generator draw from it in turn.

    Raises
    ------
    TypeError, ValueError
        Naming p or seed.

    References
    ----------
    Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.

    Examples
    --------
    >>> Dropout(0.5, seed=0).eval()([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        self.p = probability("p", p)
        self.rng = generator(seed)

    def __call__(self, x: ArrayLike, *, inplace: bool = False) -> Array:
        """Drop elements of `x`, or in evaluation copy it.

        Parameters
        ----------
        x : array_like, any shape
            float64 stays float64, every other real dtype becomes float32; so do nested lists.
        inplace : bool
            The caller gives `x` away: it may be overwritten, and be the result.

        Returns
        -------
        y : numpy.ndarray, of the shape of x

        Raises
        ------
        TypeError
            If `x` is not real numbers.
        """
        x = as_input("x", x)
        mask = self._mask(x) if self._active else None
        return _masked(x, mask, inplace)

    def vjp(self, x: ArrayLike, *, inplace: bool = False) -> tuple[Array, ArrayPullback]:
        """Do the same, and return a pullback too.

        With `inplace` the pullback may overwrite, and return, the array that it is given, too.

        Parameters
        ----------
        x, inplace
            As for a call.

        Returns
        -------
        y : numpy.ndarray, of the shape of x
        pullback : callable (dy) -> dx
            dx = dy ∘ m with the mask of this call; dy has y's shape, None means zero.

        Raises
        ------
        TypeError
            If `x` is not real numbers.
        """
        x = as_input("x", x)
        mask = self._mask(x) if self._active else None
        shape, dtype = x.shape, x.dtype

        def pullback(dy: Any) -> np.ndarray:
            dy = as_cotangent("dy", dy, dtype, shape)
            return _masked(dy, mask, inplace)

        return _masked(x, mask, inplace), once(pullback)

    @property
    def _active(self) -> bool:
        return self.training and self.p > 0

    def _mask(self, x: np.ndarray) -> np.ndarray:
        return draw_mask(self.rng, x.shape, self.p, x.dtype)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return f"p={self.p}"


def _masked(x: np.ndarray, mask: np.ndarray | None, inplace: bool) -> np.ndarray:
    if mask is None:
        return x if inplace else x.copy()
    return apply_mask(x, mask, out=x if inplace else None)
