"""A recurrent layer that reads its sequence from the end only, ONNX's direction "reverse"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import as_float, as_lengths
from ...nn.module import Module
from ...nn.pullback import once
from ...typing import Array, ArrayLike

__all__ = ["Reverse", "turned"]


class Reverse(Module):
    """A recurrent module of one direction, run from each sequence's end to its start.

    Parameters
    ----------
    module : nn.LSTM, nn.GRU or nn.RNN
        Of one direction, of any number of layers.

    Notes
    -----
    Time is turned around before the module and after it: y_t belongs to x_t, and hn is the state
    after the sequence's first step. What it takes and gives is the module's. In a `Sequential` y
    goes on to the next module, as of an `LSTM`; `save` writes it with ONNX's direction "reverse".
    """

    _gives_state = True  # it returns (y, state), which Sequential asks for

    def __init__(self, module: Any) -> None:
        if module.bidirectional:
            raise ValueError("module: expected one direction, got a bidirectional module")
        self.module = module

    @property
    def input_size(self) -> int:
        """I, the module's."""
        return self.module.input_size

    @property
    def batch_first(self) -> bool:
        """Whether x and y are (B, T, …), as the module's."""
        return self.module.batch_first

    def __call__(
        self, x: ArrayLike, hx: Any = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, Any]:
        """Run over a sequence from its end, and keep nothing.

        Parameters
        ----------
        x, hx, lengths
            As the module takes them.

        Returns
        -------
        y, state
            As the module gives them.

        Raises
        ------
        TypeError, ValueError
            Naming x, hx, h0, c0 or lengths.
        """
        turn = self._turn(x, lengths)
        y, state = self.module(turn(x), hx, lengths)
        return turn(y), state

    def vjp(
        self, x: ArrayLike, hx: Any = None, lengths: ArrayLike | None = None
    ) -> tuple[tuple[Array, Any], Callable[..., tuple[Array, Any]]]:
        """Do the same, and return a pullback too.

        Parameters
        ----------
        x, hx, lengths
            As for a call.

        Returns
        -------
        y, state
            As from a call.
        pullback : callable (dy, dstate=None) -> dx, dinitial
            As the module's.

        Raises
        ------
        TypeError, ValueError
            Naming x, hx, h0, c0 or lengths; the pullback's name dy, dhn or dcn.
        """
        turn = self._turn(x, lengths)
        (y, state), back = self.module.vjp(turn(x), hx, lengths)
        shape = y.shape

        def pullback(dy: Any = None, dstate: Any = None) -> tuple[Array, Any]:
            if dy is not None:
                dy = turn(as_float("dy", dy, self.module.dtype, shape=shape))
            dx, dinitial = back(dy, dstate)
            return turn(dx), dinitial

        return (turn(y), state), once(pullback)

    def _turn(self, x: Any, lengths: Any) -> Callable[[Any], np.ndarray]:
        """Check x as far as turning needs it; give what turns arrays of its layout around."""
        x = as_float("x", x, self.module.dtype)
        if x.ndim not in (2, 3):
            raise ValueError(f"x: expected 2 or 3 dimensions, got {x.ndim} (shape {x.shape})")
        axis = int(self.module.batch_first and x.ndim == 3)
        checked = None
        if lengths is not None and x.ndim == 3:  # the module refuses those of a single sequence
            checked = as_lengths("lengths", lengths, x.shape[axis], x.shape[1 - axis])
        return lambda array: turned(np.asarray(array), checked, axis)


def turned(array: np.ndarray, lengths: np.ndarray | None, axis: int = 0) -> np.ndarray:
    """Turn each sequence of a batch around, its padding staying where it is, in new memory.

    Parameters
    ----------
    array : (T, B, …), or (B, T, …) with axis 1, or without lengths (T, …)
    lengths : (B,) int, or None for T
    axis : int
        That of time.
    """
    if lengths is None:
        return np.ascontiguousarray(np.flip(array, axis))
    t = np.arange(array.shape[axis])[:, None]
    source = np.where(t < lengths, lengths - 1 - t, t)  # (T, B)
    row = np.arange(array.shape[1 - axis])
    return array[source, row] if axis == 0 else array[row[:, None], source.T]
