"""Many steps ahead at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..checks import as_cotangent, as_float, size
from ..nn.pullback import once
from ..typing import Array, ArrayLike, DTypeLike, Seed
from .encoder import Encoder

__all__ = ["Forecaster"]


class ForecastPullback(Protocol):
    """Of a forecaster: ``(dy) -> dx, dfuture``."""

    def __call__(self, dy: ArrayLike | None) -> tuple[Array, Array | None]:
        """Add to every parameter's gradient; dfuture is None where there is no future."""


class Forecaster(Encoder):
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
    num_layers : int
        L, the recurrent layers.
    cell : str
        ``"lstm"``, ``"gru"`` or ``"rnn"``, what the layers are made of.
    bidirectional : bool
        Whether a second direction (D = 2) reads each sequence from its end.
    dropout : float
        In training, the probability with which each output of all layers but the last, and each
        feature of the final state, is dropped.
    input_dropout, recurrent_dropout : float
        As for the cell: in training, the probability with which elements of each layer's inputs,
        and of the state where the recurrent product reads it, are dropped at all steps.
    batch_first : bool
        Whether x, future and y are (B, T, …) instead of (T, B, …).
    future_size : int
        F, what is known beforehand of each step ahead, such as the day of the week. Each step's
        forecast sees that of all steps.
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
        Naming the argument: a size below 1 (below 0 for future_size), another cell or dtype, a
        probability outside 0..1, a flag that is no boolean, an option that the cell does not have.

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
        dtype: DTypeLike | None = None,
        seed: Seed = None,
        **options: Any,
    ) -> None:
        self.output_size = size("output_size", output_size)
        self.horizon = size("horizon", horizon)
        self.future_size = size("future_size", future_size, 0)
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
        self._add_head(self.horizon * self.output_size, self.horizon * self.future_size)

    def __call__(  # type: ignore[override]
        self, x: ArrayLike, future: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> Array:
        """Compute the forecast and keep nothing.

        Parameters
        ----------
        x : array_like, (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sequence
            T at least 1.
        future : array_like, (K, B, F), or (B, K, F) with batch_first, or (K, F), optional
            What is known of the steps ahead; None where future_size is 0.
        lengths : array_like of int, (B,), optional
            How long each sequence is, 0 to T, in any order; T where not given. What stands in x
            after a sequence's end is not looked at.

        Returns
        -------
        y : numpy.ndarray, (K, B, O), or (B, K, O) with batch_first, or (K, O)

        Raises
        ------
        TypeError, ValueError
            Naming x, future or lengths.
        """
        x, rows = self._arguments(x, future)
        return self._by_step(self.head(_beside(self._encode(x, lengths), rows)))

    def vjp(  # type: ignore[override]
        self, x: ArrayLike, future: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, ForecastPullback]:
        """Compute what `__call__` does, and a pullback.

        `x` must keep its values until the pullback has been called.

        Parameters
        ----------
        x, future, lengths
            As for a call.

        Returns
        -------
        y : numpy.ndarray
            As from a call.
        pullback : callable
            ``pullback(dy) -> dx, dfuture``, with dy of the shape of y, or None for zero. It adds to
            every parameter's gradient. dfuture is None where future_size is 0. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, future or lengths; the pullback's name dy.
        """
        x, rows = self._arguments(x, future)
        features, encode_back = self._encode_vjp(x, lengths)
        outputs, head_back = self.head.vjp(_beside(features, rows))
        y, flat = self._by_step(outputs), outputs.shape
        shape = y.shape

        def pullback(dy: Any) -> tuple[Array, Array | None]:
            dy = as_cotangent("dy", dy, self.dtype, shape)
            d = head_back(self._batch_first(dy).reshape(flat))
            dx = encode_back(d[..., : self.features])
            if rows is None:
                return dx, None
            dfuture = d[..., self.features :].reshape(*flat[:-1], self.horizon, self.future_size)
            return dx, np.ascontiguousarray(self._batch_first(dfuture))

        return y, once(pullback)

    def _arguments(self, x: Any, future: Any) -> tuple[Array, Array | None]:
        """x in the module's dtype, and of the future one row a sequence, (B, K·F)."""
        x = as_float("x", x, self.dtype)
        if self.future_size == 0:
            if future is not None:
                raise ValueError("future: expected None with future_size=0, got an array")
            return x, None
        if future is None:
            raise ValueError(f"future: expected an array, as future_size is {self.future_size}")
        shape: tuple[int, ...] = (self.horizon, self.future_size)
        if x.ndim == 3:
            batch = x.shape[0 if self.batch_first else 1]
            at = 0 if self.batch_first else 1
            shape = (*shape[:at], batch, *shape[at:])
        future = as_float("future", future, self.dtype, shape=shape)
        rows = self._batch_first(future)
        return x, rows.reshape(*rows.shape[:-2], self.horizon * self.future_size)

    def _by_step(self, outputs: Array) -> Array:
        """The head's outputs (B, K·O) as y."""
        y = outputs.reshape(*outputs.shape[:-1], self.horizon, self.output_size)
        return np.ascontiguousarray(self._batch_first(y))

    def _batch_first(self, array: Array) -> Array:
        """Exchange the axes of steps and sequences where callers have steps first; either way."""
        return array if self.batch_first or array.ndim == 2 else array.swapaxes(0, 1)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        parts = f"horizon={self.horizon}, output_size={self.output_size}"
        return f"{parts}, future_size={self.future_size}" if self.future_size else parts


def _beside(features: Array, rows: Array | None) -> Array:
    return features if rows is None else np.concatenate([features, rows], axis=-1)
