"""Types that signatures name, for programs that are checked by mypy or pyright.

A module of one's own is annotated with them like the modules of `numba_lstm.nn`::

    from numba_lstm.typing import Array, ArrayLike, ArrayPullback

    class Halve(nn.Module):
        def __call__(self, x: ArrayLike) -> Array: ...
        def vjp(self, x: ArrayLike) -> tuple[Array, ArrayPullback]: ...

A pullback takes the cotangents of the outputs, in their order, and returns those of the inputs.
None stands for a cotangent of zeros. Each pullback answers one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "Array",
    "ArrayLike",
    "ArrayPullback",
    "CellPullback",
    "CellsPullback",
    "DTypeLike",
    "Seed",
    "State",
    "StateLike",
    "StatePair",
    "StatePairCotangent",
    "StatePairLike",
    "StatePullback",
    "TokenPullback",
    "TokensPullback",
]

# What modules return. It is float32 or float64, as the module's dtype says.
Array = NDArray[Any]

# None asks the operating system for fresh randomness; a generator may be shared.
Seed = int | np.integer[Any] | np.random.Generator | None

# One state of a recurrent stack: an array (L·D, B, H) or, where `hidden_size` is a list of sizes
# that differ, a list of arrays (D, B, H_l), one a layer. `Any` stands for that list: a union with
# `list` would have to be narrowed in every program, also in those that never give a list.
State = Array | Any

# What may be given for a state or its cotangent; for a cotangent a list may hold None.
StateLike = ArrayLike | Sequence[ArrayLike | None]

# The same of an LSTM: h and c.
StatePair = tuple[State, State]
StatePairLike = tuple[StateLike, StateLike]
StatePairCotangent = tuple[StateLike | None, StateLike | None]

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class ArrayPullback(Protocol):
    """Of a module from array to array: ``(dy) -> dx``."""

    def __call__(self, dy: ArrayLike | None) -> Array:
        """Add to the parameters' gradients; give dx, of the shape of x."""


class TokenPullback(Protocol):
    """Of a module that takes tokens: ``(dy) -> None``."""

    def __call__(self, dy: ArrayLike | None) -> None:
        """Add to the parameters' gradients; tokens have none."""


class StatePullback(Protocol[In, Out]):
    """Of `LSTM`, ``(dy, (dhn, dcn)=None) -> dx, (dh0, dc0)``; of `GRU` and `RNN`,
    ``(dy, dhn=None) -> dx, dh0``.
    """

    def __call__(self, dy: ArrayLike | None = None, dstate: In | None = None) -> tuple[Array, Out]:
        """Add to the parameters' gradients; give the gradients of x and of the initial state."""


class CellsPullback(Protocol[In, Out]):
    """Of an `LSTM` called with ``return_cells=True``: a third cotangent, (T, B, D·H)."""

    def __call__(
        self,
        dy: ArrayLike | None = None,
        dstate: In | None = None,
        dcells: ArrayLike | None = None,
    ) -> tuple[Array, Out]:
        """Add to the parameters' gradients; give the gradients of x and of the initial state."""


class TokensPullback(Protocol[In, Out]):
    """Of a recurrent stack over tokens (`vjp_tokens`): dx is None."""

    def __call__(self, dy: ArrayLike | None = None, dstate: In | None = None) -> tuple[None, Out]:
        """Add to the parameters' gradients, the embedding's among them."""


class CellPullback(Protocol[In, Out]):
    """Of `LSTMCell`, ``((dh, dc)) -> dx, (dh_prev, dc_prev)``; of `GRUCell` and `RNNCell`,
    ``(dh) -> dx, dh_prev``.
    """

    def __call__(self, dstate: In) -> tuple[Array, Out]:
        """Add to the parameters' gradients; give the gradients of x and of the state before."""
