"""Layer normalisation of the last dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import as_cotangent, as_float, flag, positive, size
from ..checks import dtype as check_dtype
from ..parameters.exchanged import check_parameter
from ..parameters.parameter import Parameter
from ..parameters.versions import Versions
from ..typing import Array, ArrayLike, ArrayPullback, DTypeLike
from .module import Module
from .pullback import once

__all__ = ["LayerNorm"]


class LayerNorm(Module):
    """Bring the last dimensions to mean 0 and variance 1; torch.nn.LayerNorm's signature.

    ::

        y = g ∘ (x - mean x) / √(var x + eps) + b

    Mean and variance (divided by N, not N - 1) are over the last dimensions, of `normalized_shape`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last dimension of x, or the last ones.
    eps : float
        A number above 0.
    elementwise_affine : bool
        Whether there are g and b.
    bias : bool
        Whether there is b.
    dtype : dtype_like
        float32 or float64.

    Attributes
    ----------
    weight : Parameter, of `normalized_shape`, or None
        g, 1 at the start.
    bias : Parameter, of `normalized_shape`, or None
        b, 0 at the start.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, no size at all, an eps that is not above 0, a flag that
        is no boolean, another dtype.

    References
    ----------
    Ba, Kiros & Hinton, Layer normalization, arXiv:1607.06450, 2016.

    Examples
    --------
    >>> LayerNorm(3)([[1.0, 2.0, 3.0]]).round(2)
    array([[-1.22,  0.  ,  1.22]], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.normalized_shape = _shape(normalized_shape)
        self.eps = positive("eps", eps)
        self.elementwise_affine = flag("elementwise_affine", elementwise_affine)
        bias = flag("bias", bias) and self.elementwise_affine
        self.dtype = check_dtype(dtype)
        shape = self.normalized_shape
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if self.elementwise_affine:
            self.weight = Parameter(np.ones(shape, self.dtype))
        if bias:
            self.bias = Parameter(np.zeros(shape, self.dtype))

    def __call__(self, x: ArrayLike) -> Array:
        """Compute y.

        Parameters
        ----------
        x : array_like, its last dimensions those of `normalized_shape`

        Returns
        -------
        y : numpy.ndarray, of the shape of x

        Raises
        ------
        TypeError, ValueError
            Naming x, or a parameter that was exchanged for one that does not fit.
        """
        gain, shift = self._parameters()
        x = self._checked(x)
        normal, _ = self._normalise(x)
        return _scaled(normal, gain, shift).reshape(x.shape)

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
            ``dg += Σ dy ∘ n`` and ``db += Σ dy`` are added to the gradients, where n is y without g
            and b; dy has y's shape, None means zero. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, or a parameter that was exchanged for one that does not fit; the pullback's
            name dy.
        """
        # The pullback's, too, whatever stands in the module by then.
        gain, shift = self._parameters()
        x = self._checked(x)
        shape, versions = x.shape, Versions([gain])
        normal, scale = self._normalise(x)
        y = _scaled(normal, gain, shift).reshape(shape)

        def pullback(dy: Any) -> Array:
            rows = as_cotangent("dy", dy, self.dtype, shape).reshape(normal.shape)
            versions.check()
            with np.errstate(all="ignore"):
                if shift is not None:
                    shift.add_grad(rows.sum(axis=0).reshape(shift.shape), copy=False)
                if gain is not None:
                    gain.add_grad((rows * normal).sum(axis=0).reshape(gain.shape), copy=False)
                    rows = rows * gain.numpy().reshape(-1)
                # n has mean 0 and length √N whatever x is: what would change either is lost.
                along = (rows * normal).mean(axis=1, keepdims=True)
                dx = scale * (rows - rows.mean(axis=1, keepdims=True) - normal * along)
            return dx.reshape(shape)

        return y, once(pullback)

    def _checked(self, x: Any) -> Array:
        x = as_float("x", x, self.dtype)
        last = self.normalized_shape
        if x.shape[-len(last) :] != last:
            wanted = ", ".join(map(str, last))
            raise ValueError(f"x: expected shape (…, {wanted}), got {x.shape}")
        return x

    def _normalise(self, x: Array) -> tuple[Array, Array]:
        """Rows of mean 0 and variance 1, and what each was multiplied by for it."""
        rows = x.reshape(-1, math.prod(self.normalized_shape))
        with np.errstate(all="ignore"):
            normal = rows - rows.mean(axis=1, keepdims=True)
            scale = 1 / np.sqrt(np.square(normal).mean(axis=1, keepdims=True) + self.eps)
            normal *= scale
        return normal, scale

    def _parameters(self) -> tuple[Parameter | None, Parameter | None]:
        """Gain and shift, checked: either may have been exchanged."""
        found = self.weight, self.bias
        for name, value in zip(("weight", "bias"), found):
            if value is not None:
                check_parameter(name, value, self.normalized_shape, self.dtype)
        return found

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


def _scaled(normal: Array, gain: Parameter | None, shift: Parameter | None) -> Array:
    with np.errstate(all="ignore"):
        y = normal.copy() if gain is None else normal * gain.numpy().reshape(-1)
        if shift is not None:
            y += shift.numpy().reshape(-1)
    return y


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        return (size("normalized_shape", value),)
    if not value:
        raise ValueError("normalized_shape: expected at least one size, got none")
    return tuple(size(f"normalized_shape[{k}]", one) for k, one in enumerate(value))
