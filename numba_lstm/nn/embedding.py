"""An embedding: one learnt row for each token."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import checks
from ..parameters.exchanged import check_parameter
from ..parameters.parameter import Parameter
from ..typing import Array, ArrayLike, DTypeLike, Seed, TokenPullback
from . import init
from .module import Module
from .pullback import once

__all__ = ["Embedding"]


class Embedding(Module):
    """Look up a row of `weight` for every token.

    y[n] = W[tokens[n]]; going back, dW[v] is the sum of dy[n] over all n where tokens[n] is v.

    Parameters
    ----------
    num_embeddings : int
        V, the number of tokens there are.
    embedding_dim : int
        E, the width of a row.
    padding_idx : int, optional
        A token whose row starts as zeros and gets no gradient. Negative numbers count from the end.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        The rows are drawn from a standard normal distribution.

    Attributes
    ----------
    weight : Parameter, shape (V, E)

    Raises
    ------
    TypeError, ValueError
        If a size is no integer or below 1, `padding_idx` is out of range, or `dtype` another.

    Examples
    --------
    >>> Embedding(4, 2)([[0, 3, 1]]).shape
    (1, 3, 2)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.num_embeddings = checks.size("num_embeddings", num_embeddings)
        self.embedding_dim = checks.size("embedding_dim", embedding_dim)
        self.padding_idx = _padding(padding_idx, self.num_embeddings)
        self.dtype = checks.dtype(dtype)
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = Parameter(np.empty(shape, self.dtype))
        init.reset_embedding_(self, seed=seed)

    def __call__(self, tokens: ArrayLike) -> Array:
        """Look tokens up.

        Parameters
        ----------
        tokens : array_like of int, any shape
            From 0 to V - 1.

        Returns
        -------
        y : numpy.ndarray, the tokens' shape and E

        Raises
        ------
        TypeError
            If the tokens are not integers.
        ValueError
            If one is out of range, or `weight` was exchanged for one that does not fit.
        """
        weight = self.checked_weight()
        return _look_up(weight, checks.as_tokens("tokens", tokens, weight.shape[0]))

    def vjp(self, tokens: ArrayLike) -> tuple[Array, TokenPullback]:
        """Look tokens up, and return a pullback too.

        Parameters
        ----------
        tokens
            As for a call.

        Returns
        -------
        y : numpy.ndarray, the tokens' shape and E
        pullback : callable (dy) -> None
            Adds into ``weight.grad``, an array of the whole shape (V, E). dy has y's shape; None
            means zero.

        Raises
        ------
        TypeError
            If the tokens are not integers.
        ValueError
            If one is out of range, or `weight` was exchanged for one that does not fit.
        """
        # The pullback's, too, whatever stands in the module by then.
        weight = self.checked_weight()
        # A copy: the caller may reuse the array before the pullback reads it.
        tokens = checks.as_tokens("tokens", tokens, weight.shape[0]).copy()
        y = _look_up(weight, tokens)
        shape = y.shape

        def pullback(dy: Any) -> None:
            rows = checks.as_cotangent("dy", dy, weight.dtype, shape)
            if weight.requires_grad:
                _scatter_add(weight, tokens, rows, self.padding_idx)

        return y, once(pullback)

    def checked_weight(self) -> Parameter:
        """Give `weight`, which may have been exchanged.

        Raises
        ------
        TypeError, ValueError
            If it is no Parameter, or of another shape or dtype.
        """
        shape = self.num_embeddings, self.embedding_dim
        return check_parameter("weight", self.weight, shape, self.dtype)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


def _look_up(weight: Parameter, tokens: np.ndarray) -> np.ndarray:
    from ..kernels.embedding import gather_rows

    width = weight.shape[1]
    y = np.empty((*tokens.shape, width), weight.dtype)
    # The stored array, not the read-only view: that would compile the kernel a second time.
    table = weight.packed("stored", _stored)
    gather_rows(_threads(y.size), tokens.ravel(), table, y.reshape(-1, width))
    return y


def _scatter_add(
    weight: Parameter, tokens: np.ndarray, dy: np.ndarray, padding: int | None
) -> None:
    from ..kernels.embedding import scatter_add_rows

    skip = -1 if padding is None else padding
    rows = dy.reshape(-1, weight.shape[1])
    with weight.accumulate() as (dw, accumulate):
        if not accumulate:
            dw[...] = 0
        scatter_add_rows(_threads(rows.size), tokens.ravel(), rows, dw, skip)


def _threads(count: int) -> int:
    from ..threads import threads_for

    # One core moves a million floats in 80 µs; less is not worth waking another one.
    return threads_for(count // 4)


def _stored(array: np.ndarray) -> np.ndarray:
    return array


def _padding(value: Any, count: int) -> int | None:
    if value is None:
        return None
    index = checks.size("padding_idx", value, -count)
    if index >= count:
        raise ValueError(f"padding_idx: expected at most {count - 1}, got {index}")
    return index % count
