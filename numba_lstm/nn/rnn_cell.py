"""One time step of a plain recurrent layer, with torch's signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import choice
from ..typing import Array, ArrayLike, DTypeLike, Seed
from .rnn_cell_base import RNNCellBase

__all__ = ["RNNCell"]


class RNNCell(RNNCellBase[ArrayLike, ArrayLike | None, Array]):
    """One step of a plain recurrent layer; the equations are those of `RNN`.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    bias : bool
        Whether there are biases.
    nonlinearity : str
        'tanh' or 'relu'.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's: uniform within ±1/√H.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, (H, I) and (H, H)
    bias_ih, bias_hh : Parameter, (H,), or None

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a bias that is no boolean, another
        nonlinearity, another dtype.

    Examples
    --------
    >>> h = RNNCell(10, 20, seed=0)(np.ones((3, 10)))
    >>> h.shape
    (3, 20)
    """

    GATES = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.nonlinearity = choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias, dtype=dtype, seed=seed)

    def cell(self) -> Any:
        """Give `kernels.cells.rnn`'s cell."""
        from ..kernels.cells import rnn

        return rnn.RNN_TANH if self.nonlinearity == "tanh" else rnn.RNN_RELU

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        tail = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + tail
