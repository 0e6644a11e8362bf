"""Functions of each element: ReLU, Tanh, Sigmoid, and Identity, which does nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import as_cotangent, as_input
from ..typing import Array, ArrayLike, ArrayPullback
from .module import Module
from .pullback import once

__all__ = ["Identity", "ReLU", "Sigmoid", "Tanh"]


class _Elementwise(Module):
    """y = f(x); a subclass gives f, and its slope as a function of y."""

    def __call__(self, x: ArrayLike) -> Array:
        """Compute y.

        Parameters
        ----------
        x : array_like, any shape
            float64 stays float64, every other real dtype becomes float32; so do nested lists.

        Returns
        -------
        y : numpy.ndarray, of the shape of x
            A new array.

        Raises
        ------
        TypeError
            If `x` is not real numbers.
        ValueError
            If `x` is ragged.
        """
        with np.errstate(all="ignore"):
            return np.asarray(self._value(as_input("x", x)))

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
            dx = dy ∘ f'(x); dy has y's shape, None means zero. May be called once.

        Raises
        ------
        TypeError, ValueError
            As a call, naming x; the pullback naming dy.
        """
        y = self(x)
        shape, dtype = y.shape, y.dtype
        with np.errstate(all="ignore"):
            slope = self._slope(y)

        def pullback(dy: Any) -> Array:
            dy = as_cotangent("dy", dy, dtype, shape)
            with np.errstate(all="ignore"):
                return np.asarray(self._back(dy, slope))

        return y, once(pullback)

    def _value(self, x: Array) -> Any:
        raise NotImplementedError

    def _slope(self, y: Array) -> Any:
        raise NotImplementedError

    @staticmethod
    def _back(dy: Array, slope: Any) -> Any:
        return np.multiply(dy, slope)


class ReLU(_Elementwise):
    """y = max(x, 0). The slope at 0 is 0, as in torch.

    Examples
    --------
    >>> ReLU()([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    def _value(self, x: Array) -> Any:
        return np.maximum(x, x.dtype.type(0))

    def _slope(self, y: Array) -> Any:
        return np.logical_not(y <= 0)  # true for NaN, too, which goes through

    @staticmethod
    def _back(dy: Array, slope: Any) -> Any:
        # Not a product: 0 times an infinite cotangent is NaN.
        return np.where(slope, dy, dy.dtype.type(0))


class Tanh(_Elementwise):
    """y = tanh(x), with the slope 1 - y².

    Examples
    --------
    >>> Tanh()([0.0])
    array([0.], dtype=float32)
    """

    def _value(self, x: Array) -> Any:
        return np.tanh(x)

    def _slope(self, y: Array) -> Any:
        return 1 - y * y


class Sigmoid(_Elementwise):
    """y = 1 / (1 + e⁻ˣ), with the slope y (1 - y).

    Examples
    --------
    >>> Sigmoid()([0.0])
    array([0.5], dtype=float32)
    """

    def _value(self, x: Array) -> Any:
        # Accurate far below 0, too, where ½ tanh(½ x) + ½ has no digits left.
        from scipy.special import expit

        return expit(x)

    def _slope(self, y: Array) -> Any:
        return y * (1 - y)


class Identity(_Elementwise):
    """y = x, in new memory: a place holder for a layer that is left out.

    Examples
    --------
    >>> Identity()([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """

    def _value(self, x: Array) -> Any:
        return x.copy()

    def _slope(self, y: Array) -> Any:
        return np.ones((), y.dtype)
