"""One label a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checks import size
from ..typing import DTypeLike, Seed
from .documented import NETWORK, documented
from .encoder import Encoder

__all__ = ["SequenceClassifier"]


@documented(network=NETWORK)
class SequenceClassifier(Encoder):
    """Logits of the classes that each sequence may belong to.

    ``logits = head(dropout(pool(rnn(x))))``, where rnn is an LSTM, a GRU or an RNN.

    Parameters
    ----------
    input_size : int
        I, the features of each step.
    hidden_size : int or list of int
        H, the units of each recurrent layer, or those of each layer.
    num_classes : int
        The classes.
    {network}
    pooling : str
        Where the D·H features of a sequence come from: ``"last"``, the final hidden state of the
        last layer, that of the forward direction first; ``"mean"`` and ``"max"``, of the last
        layer's outputs over the steps of the sequence, without its padding.
    batch_first : bool
        Whether x is (B, T, I) instead of (T, B, I).
    dtype : dtype_like, optional
        float32 or float64; float32 where not given.
    seed : None, int or numpy.random.Generator
        The same seed gives the same parameters and the same dropout masks.
    **options
        What else the cell takes: ``bias``, ``weight_dropout``, ``zoneout``, ``proj_size``, ….

    Attributes
    ----------
    rnn : LSTM, GRU or RNN
        Its parameters have torch's names: ``rnn.weight_ih_l0``, ….
    dropout : Dropout
    head : Linear
        ``head.weight`` (num_classes, D·H) and ``head.bias`` (num_classes,).

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, another cell, pooling or dtype, a probability outside
        0..1, a flag that is no boolean, an option that the cell does not have.

    Notes
    -----
    **Empty sequences.** A sequence of length 0 has features of zeros with every pooling, so its
    logits are the head's bias, and only that bias gets a gradient from it. With
    ``pooling="last"`` the features are the initial state, should that be learnt.

    **Max pooling.** Of steps with equal values the earliest gets the gradient. NaN counts as the
    largest value, so that it reaches the logits.

    **Threads.** What the backward pass needs is kept in the pullback, so one model may be used from
    several threads. In evaluation a call gives what `vjp` gives, to the bit.

    Examples
    --------
    >>> import numpy as np
    >>> from numba_lstm import losses
    >>> model = SequenceClassifier(12, 32, 9, bidirectional=True, seed=0)
    >>> logits, pullback = model.vjp(np.ones((29, 4, 12)), [29, 7, 15, 20])
    >>> logits.shape
    (4, 9)
    >>> loss, dlogits = losses.cross_entropy(logits, [0, 8, 3, 1])
    >>> pullback(dlogits).shape
    (29, 4, 12)
    """

    _COTANGENT = "dlogits"

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_classes: int,
        num_layers: int = 1,
        *,
        cell: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        pooling: str = "last",
        batch_first: bool = False,
        dtype: DTypeLike | None = None,
        seed: Seed = None,
        **options: Any,
    ) -> None:
        self.num_classes = size("num_classes", num_classes)
        if pooling is None:
            raise ValueError("pooling: expected 'last' or 'mean' or 'max', got None")
        self._build(
            input_size,
            hidden_size,
            num_layers,
            cell=cell,
            pooling=pooling,
            dropout=dropout,
            dtype=dtype,
            seed=seed,
            options=options,
            bidirectional=bidirectional,
            input_dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            batch_first=batch_first,
        )
        self._add_head(self.num_classes)
