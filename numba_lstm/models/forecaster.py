"""Many steps ahead at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..typing import Array, DTypeLike, Seed
from .documented import NETWORK, documented
from .encoder import Encoder
from .steps_ahead import StepsAhead

__all__ = ["Forecaster"]


@documented(network=NETWORK)
class Forecaster(StepsAhead, Encoder):  # type: ignore[misc]
    """The next steps of each sequence, all of them from its final state.

    The direct strategy: one linear layer gives every step ahead, so that no forecast is fed back
    and no error adds up::

        y = head([dropout(final hidden state of rnn(x)), future of all steps ahead])

    Parameters
    ----------
    input_size : int
        I, the features of each step.
    hidden_size : int or list of int
        H, the units of each recurrent layer, or those of each layer.
    output_size : int
        O, the numbers that are forecast for each step.
    horizon : int
        K, the steps ahead.
    {network}
    batch_first : bool
        Whether x, future and y are (B, T, …) instead of (T, B, …).
    future_size : int
        F, what is known beforehand of each step ahead, such as the day of the week. Each step's
        forecast sees that of all steps.
    normalize : {'last'}, optional
        ``'last'`` takes each sequence's last value from its first `targets` features, and adds it
        to their forecasts: what is learnt holds on every level, also beyond those that were seen.
        Others are read as they are.
    targets : int, optional
        C, so many features are forecast, the first ones; O where not given. O is a multiple of it:
        output o is of feature ``o // (O / C)``, as quantiles of each are.
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
        ``head.weight`` (K·O, D·H + K·F) and ``head.bias`` (K·O,). Row k·O + o gives output o of
        step k ahead. Column D·H + k·F + f reads what is known of step k.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1 (below 0 for future_size), another cell, dtype or
        normalize, targets that do not fit, a probability outside 0..1, a flag that is no boolean,
        an option that the cell does not have.

    Notes
    -----
    The final state of a sequence of length 0 is zero, so that its forecast is that of the head's
    bias and of the future.

    Examples
    --------
    >>> import numpy as np
    >>> model = Forecaster(3, 16, 1, horizon=7, future_size=2, seed=0)
    >>> y, pullback = model.vjp(np.ones((30, 4, 3)), np.ones((7, 4, 2)))
    >>> y.shape
    (7, 4, 1)
    >>> dx, dfuture = pullback(np.ones_like(y))
    >>> dx.shape, dfuture.shape
    ((30, 4, 3), (7, 4, 2))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        output_size: int,
        horizon: int,
        num_layers: int = 1,
        *,
        cell: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        batch_first: bool = False,
        future_size: int = 0,
        normalize: str | None = None,
        targets: int | None = None,
        dtype: DTypeLike | None = None,
        seed: Seed = None,
        **options: Any,
    ) -> None:
        self._settle(output_size, horizon, future_size, normalize, targets)
        self._build(
            input_size,
            hidden_size,
            num_layers,
            cell=cell,
            pooling="last",
            dropout=dropout,
            dtype=dtype,
            seed=seed,
            options=options,
            bidirectional=bidirectional,
            input_dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            batch_first=batch_first,
        )
        self._check_targets()
        self._add_head(self.horizon * self.output_size, self.horizon * self.future_size)

    def _outputs(self, x: Array, rows: Array | None, lengths: Any) -> Array:
        return self.head(_beside(self._encode(x, lengths), rows))

    def _outputs_vjp(
        self, x: Array, rows: Array | None, lengths: Any
    ) -> tuple[Array, Callable[[Array], tuple[Array, Array | None]]]:
        features, encode_back = self._encode_vjp(x, lengths)
        outputs, head_back = self.head.vjp(_beside(features, rows))

        def back(doutputs: Array) -> tuple[Array, Array | None]:
            d = head_back(doutputs)
            dx = encode_back(d[..., : self.features])
            return dx, None if rows is None else d[..., self.features :]

        return outputs, back


def _beside(features: Array, rows: Array | None) -> Array:
    return features if rows is None else np.concatenate([features, rows], axis=-1)
