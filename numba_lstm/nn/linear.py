"""The linear layer, on the LSTM's own microkernel."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..checks import as_cotangent, as_float, flag, generator, size
from ..checks import dtype as check_dtype
from ..parameters.exchanged import check_parameter
from ..parameters.parameter import Parameter
from ..parameters.versions import Versions
from ..typing import Array, ArrayLike, ArrayPullback, DTypeLike, Seed
from . import init
from .module import Module
from .pullback import once

__all__ = ["Linear"]


class Linear(Module):
    """y = x·Wᵀ + b, over the last dimension of x.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether there is a b.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's: uniform within ±1/√in_features.

    Attributes
    ----------
    weight : Parameter, (out_features, in_features)
    bias : Parameter, (out_features,), or None

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a bias that is no boolean, another dtype.

    Examples
    --------
    >>> Linear(3, 2, seed=0)([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.in_features = size("in_features", in_features)
        self.out_features = size("out_features", out_features)
        bias = flag("bias", bias)
        self.dtype = check_dtype(dtype)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(np.empty(shape, self.dtype))
        self.bias = Parameter(np.empty(shape[:1], self.dtype)) if bias else None
        init.reset_linear_(self, seed=generator(seed))

    def __call__(self, x: ArrayLike) -> Array:
        """Compute y.

        Parameters
        ----------
        x : array_like, (…, in_features)

        Returns
        -------
        y : numpy.ndarray, (…, out_features)

        Raises
        ------
        TypeError, ValueError
            Naming x, or a parameter that was exchanged for one that does not fit.
        """
        weight, bias = self._parameters()
        x = self._checked("x", x, self.in_features)
        return _products().forward(weight, bias, x)

    def vjp(self, x: ArrayLike) -> tuple[Array, ArrayPullback]:
        """Compute y, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Parameters
        ----------
        x
            As for a call.

        Returns
        -------
        y : numpy.ndarray, (…, out_features)
        pullback : callable (dy) -> dx
            dx = dy·W; ``dW += dyᵀ·x`` and ``db += Σ dy`` are added to the gradients. dy has y's
            shape, None means zero. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, or a parameter that was exchanged for one that does not fit; the pullback's
            name dy.
        """
        products = _products()
        # The pullback's, too, whatever stands in the module by then.
        weight, bias = self._parameters()
        x = self._checked("x", x, self.in_features)
        y = products.forward(weight, bias, x)
        shape, versions = y.shape, Versions([weight])

        def pullback(dy: Any) -> np.ndarray:
            dy = as_cotangent("dy", dy, self.dtype, shape)
            versions.check()
            return products.backward(weight, bias, x, dy)

        return y, once(pullback)

    def _parameters(self) -> tuple[Parameter, Parameter | None]:
        """Weight and bias, checked: either may have been exchanged."""
        shape = self.out_features, self.in_features
        weight, bias = check_parameter("weight", self.weight, shape, self.dtype), self.bias
        if bias is not None:
            check_parameter("bias", bias, shape[:1], self.dtype)
        return weight, bias

    def _checked(self, name: str, x: Any, width: int) -> np.ndarray:
        x = as_float(name, x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != width:
            raise ValueError(f"{name}: expected shape (…, {width}), got {x.shape}")
        return x

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


@functools.cache
def _products() -> Any:
    """`parameters.products`, which imports numba: only the first call of a module may do that."""
    from ..parameters import products

    return products
