"""One time step of a GRU, with torch's signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import flag
from ..typing import Array, ArrayLike, DTypeLike, Seed
from .gru import cell_with_reset
from .rnn_cell_base import RNNCellBase

__all__ = ["GRUCell"]


class GRUCell(RNNCellBase[ArrayLike, ArrayLike | None, Array]):
    """One step of a GRU; the equations are those of `GRU`.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    bias : bool
        Whether there are biases.
    reset_after : bool
        Whether the reset gate comes after the product.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's: uniform within ±1/√H.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, (3H, I) and (3H, H)
    bias_ih, bias_hh : Parameter, (3H,), or None

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a flag that is no boolean, another dtype.

    Examples
    --------
    >>> h = GRUCell(10, 20, seed=0)(np.ones((3, 10)))
    >>> h.shape
    (3, 20)
    """

    GATES = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reset_after: bool = True,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.reset_after = flag("reset_after", reset_after)
        super().__init__(input_size, hidden_size, bias, dtype=dtype, seed=seed)

    def cell(self) -> Any:
        """Give the cell of `kernels.cells.gru` or `gru_before`."""
        return cell_with_reset(self.reset_after)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
