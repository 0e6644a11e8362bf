"""The GRU layer stack, with torch's signature."""

from __future__ import annotations

from typing import Any

from .recurrent import Recurrent

__all__ = ["GRU"]


class GRU(Recurrent):
    """A stack of GRU layers over a sequence; torch.nn.GRU's signature, order and defaults.

    For each step of each layer, with the gates r, z, n in this order in the weights' rows:

        r, z = sigmoid(W x_t + b + U h_{t-1} + d)
        n = tanh(W_n x_t + b_n + r ∘ (U_n h_{t-1} + d_n))
        h_t = (1 - z) ∘ n + z ∘ h_{t-1}

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or list of int
        H, or that of each layer, H_l.
    num_layers : int
        L; each layer reads the outputs of the one before. With a list its length, and need not be
        given.
    bias : bool
        Whether there are b and d.
    batch_first : bool
        Whether x and y are (B, T, …) instead of (T, B, …). States never are.
    dropout : float
        In training, the probability with which each output of all layers but the last is dropped.
    bidirectional : bool
        Whether a second direction (D = 2) reads the sequence from its end.
    input_dropout, recurrent_dropout : float
        In training, the probability with which elements of each layer's inputs, and of the state
        where the recurrent product reads it, are dropped: the same at every step of a sequence.
    weight_dropout : float
        In training, the probability with which elements of W_hh are dropped (DropConnect).
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's (uniform within ±1/√H_l), and the dropout masks.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, … : Parameter
        (3H, I) or, after the first layer, (3H, D·H); (3H, H); (3H,); (3H,). With the suffix
        ``_reverse`` those of the second direction.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a list of another length than `num_layers`, a flag that
        is no boolean, a dropout outside 0..1, another dtype.

    Notes
    -----
    A call keeps nothing in the module, so one may be used from several threads, and twice in a
    network. Results are the same to the bit on any number of threads.

    References
    ----------
    Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014.

    Examples
    --------
    >>> import numpy as np
    >>> gru = GRU(10, 20, num_layers=2, seed=0)
    >>> y, hn = gru(np.ones((5, 3, 10)))
    >>> y.shape, hn.shape
    ((5, 3, 20), (2, 3, 20))
    """

    GATES = 3

    def cell(self) -> Any:
        """Give `kernels.cells.gru.GRU`."""
        from ..kernels.cells.gru import GRU as CELL

        return CELL
