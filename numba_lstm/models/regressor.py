"""Numbers of a sequence, or of each of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checks import size
from ..typing import DTypeLike, Seed
from .documented import NETWORK, documented
from .encoder import Encoder

__all__ = ["SequenceRegressor"]


@documented(network=NETWORK)
class SequenceRegressor(Encoder):
    """Real outputs of each sequence or, with ``pooling=None``, of each step.

    ``y = head(dropout(pool(rnn(x))))``, where rnn is an LSTM, a GRU or an RNN.

    Parameters
    ----------
    input_size : int
        I, the features of each step.
    hidden_size : int or list of int
        H, the units of each recurrent layer, or those of each layer.
    output_size : int
        O, the numbers that come out.
    {network}
    pooling : str or None
        As for a `SequenceClassifier`. None keeps every step: y is then (T, B, O) in the layout of
        x, zero after a sequence's end, where no cotangent is looked at either.
    batch_first : bool
        Whether x is (B, T, I) instead of (T, B, I), and so y without pooling.
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
        ``head.weight`` (O, D·H) and ``head.bias`` (O,).

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, another cell, pooling or dtype, a probability outside
        0..1, a flag that is no boolean, an option that the cell does not have.

    Notes
    -----
    What a `SequenceClassifier` says of empty sequences, max pooling and threads holds here, too.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones((10, 4, 3))
    >>> SequenceRegressor(3, 16, 1, cell="gru", pooling="mean", seed=0)(x).shape
    (4, 1)
    >>> SequenceRegressor(3, 16, 2, pooling=None, seed=0)(x).shape
    (10, 4, 2)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        output_size: int,
        num_layers: int = 1,
        *,
        cell: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        pooling: str | None = "last",
        batch_first: bool = False,
        dtype: DTypeLike | None = None,
        seed: Seed = None,
        **options: Any,
    ) -> None:
        self.output_size = size("output_size", output_size)
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
        self._add_head(self.output_size)
