"""One time step of a GRU, with torch's signature."""

from __future__ import annotations

from typing import Any

from .recurrent_cell import RecurrentCell

__all__ = ["GRUCell"]


class GRUCell(RecurrentCell):
    """One step of a GRU; the equations are those of `GRU`.

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
    weight_ih, weight_hh : Parameter, (3H, I) and (3H, H)
    bias_ih, bias_hh : Parameter, (3H,), or None

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a bias that is no boolean, another dtype.

    Examples
    --------
    >>> h = GRUCell(10, 20, seed=0)(np.ones((3, 10)))
    >>> h.shape
    (3, 20)
    """

    GATES = 3

    def cell(self) -> Any:
        """Give `kernels.cells.gru`'s cell."""
        from ..kernels.cells.gru import GRU

        return GRU
