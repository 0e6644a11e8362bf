"""One time step of an LSTM, with torch's signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..typing import Array, ArrayLike, CellPullback, DTypeLike, Seed
from .rnn_cell_base import RNNCellBase

__all__ = ["LSTMCell"]

Pair = tuple[Array, Array]
PairLike = tuple[ArrayLike, ArrayLike]
PairCotangent = tuple[ArrayLike | None, ArrayLike | None]


class LSTMCell(RNNCellBase[PairLike, PairCotangent, Pair]):
    """One step of an LSTM; the equations are those of `LSTM`.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    bias : bool
        Whether there are biases.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's: uniform within ±1/√H.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, (4H, I) and (4H, H)
    bias_ih, bias_hh : Parameter, (4H,), or None

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a bias that is no boolean, another dtype.

    Examples
    --------
    >>> h, c = LSTMCell(10, 20, seed=0)(np.ones((3, 10)))
    >>> h.shape
    (3, 20)
    """

    GATES = 4
    STATES = ("h0", "c0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype=dtype, seed=seed)

    def cell(self) -> Any:
        """Give `kernels.cells.lstm.LSTM`."""
        from ..kernels.cells.lstm import LSTM

        return LSTM

    def __call__(self, x: ArrayLike, hx: PairLike | None = None) -> Pair:
        """Take one step and keep nothing.

        Parameters
        ----------
        x : array_like, (B, I) or (I,)
        hx : (h, c), optional
            (B, H) each, or (H,); zeros where not given.

        Returns
        -------
        h, c : numpy.ndarray, (B, H) or (H,) each

        Raises
        ------
        TypeError, ValueError
            Naming x, hx, h0 or c0.
        """
        return super().__call__(x, hx)

    def vjp(
        self, x: ArrayLike, hx: PairLike | None = None
    ) -> tuple[Pair, CellPullback[PairCotangent, Pair]]:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        (h, c)
            As from a call.
        pullback : callable ((dh, dc)) -> dx, (dh_prev, dc_prev)
            Takes the cotangents of h and c, either of them None for zero; adds to every
            parameter's gradient. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, hx, h0 or c0; the pullback's name dh or dc.
        """
        return super().vjp(x, hx)
