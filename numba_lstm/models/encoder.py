"""What the classifier, the regressor and the forecaster share: sequences to features, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import as_cotangent, choice, generator, probability, real_array
from ..checks import dtype as check_dtype
from ..nn import Dropout, Linear, Module
from ..nn.pullback import once
from ..typing import Array, ArrayLike, ArrayPullback
from .pooling import POOLINGS, padding
from .stacks import make_stack

__all__ = ["Encoder"]

Back = Callable[[Any], Any]


class Encoder(Module):
    """A recurrent stack, its outputs pooled over time, dropout, and a linear layer.

    ``head(dropout(pool(rnn(x))))``. A subclass says what the linear layer is for. It is the base
    of models and not used alone.

    Attributes
    ----------
    rnn : LSTM, GRU or RNN
    dropout : Dropout
        Of the features.
    head : Linear
    pooling : str or None
        "last", "mean" or "max"; None where every step is kept.
    """

    # What the cotangent of the output is called in messages.
    _COTANGENT = "dy"

    def _build(
        self,
        *sizes: Any,
        cell: str,
        pooling: str | None,
        dropout: float,
        dtype: Any,
        seed: Any,
        options: dict[str, Any],
        **common: Any,
    ) -> None:
        """Make the stack and the dropout; `head` is made after it, by `_add_head`.

        Dropout stands between layers and on the features, as in a `LanguageModel`.
        """
        _, hidden_size, num_layers = sizes
        self.cell = cell
        self.pooling = None if pooling is None else choice("pooling", pooling, tuple(POOLINGS))
        self.dtype = check_dtype(np.float32 if dtype is None else dtype)
        dropout = probability("dropout", dropout)
        rng = generator(seed)
        layers = len(hidden_size) if isinstance(hidden_size, (list, tuple)) else num_layers
        # With one layer there is nothing between layers, and the stack would warn.
        between = 0.0 if layers == 1 else dropout
        self.rnn = make_stack(
            type(self).__name__,
            cell,
            *sizes,
            options=options,
            dropout=between,
            dtype=self.dtype,
            seed=rng,
            **common,
        )
        self.input_size, self.hidden_size = self.rnn.input_size, self.rnn.hidden_size
        self.num_layers, self.bidirectional = self.rnn.num_layers, self.rnn.bidirectional
        self.batch_first = self.rnn.batch_first
        self.dropout = Dropout(dropout, seed=rng)

    def _add_head(self, outputs: int, more_features: int = 0) -> None:
        self.head = Linear(
            self.features + more_features, outputs, dtype=self.dtype, seed=self.dropout.rng
        )

    @property
    def features(self) -> int:
        """D·H, the features that come of a sequence, or of each step."""
        return self.rnn.sizes[0] * (2 if self.bidirectional else 1)

    def __call__(self, x: ArrayLike, lengths: ArrayLike | None = None) -> Array:
        """Compute the outputs and keep nothing.

        Parameters
        ----------
        x : array_like, (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sequence
            T at least 1.
        lengths : array_like of int, (B,), optional
            How long each sequence is, 0 to T, in any order; T where not given. What stands in x
            after a sequence's end is not looked at.

        Returns
        -------
        numpy.ndarray, (B, outputs), or (outputs,) for a single sequence
            Without pooling (T, B, outputs) in the layout of x, zero after a sequence's end.

        Raises
        ------
        TypeError, ValueError
            Naming x or lengths.
        """
        features = self._encode(x, lengths)
        outputs = self.head(features)
        beyond = self._beyond(features, lengths)
        if beyond is not None:
            outputs[beyond] = 0
        return outputs

    def vjp(self, x: ArrayLike, lengths: ArrayLike | None = None) -> tuple[Array, ArrayPullback]:
        """Compute what `__call__` does, and a pullback.

        `x` must keep its values until the pullback has been called.

        Parameters
        ----------
        x, lengths
            As for a call.

        Returns
        -------
        outputs : numpy.ndarray
            As from a call.
        pullback : callable
            ``pullback(d) -> dx``, with the gradient of a loss with respect to the outputs, or None
            for zero. It adds to every parameter's gradient, and gives that of x. May be called
            once.

        Raises
        ------
        TypeError, ValueError
            Naming x or lengths; the pullback's naming its argument, dlogits of a classifier and dy
            of a regressor.
        """
        features, encode_back = self._encode_vjp(x, lengths)
        beyond = self._beyond(features, lengths)
        outputs, head_back = self.head.vjp(features)
        if beyond is not None:
            outputs[beyond] = 0
        shape = outputs.shape

        def pullback(d: Any) -> Array:
            d = as_cotangent(self._COTANGENT, d, self.dtype, shape)
            if beyond is not None:
                d = d.copy()
                d[beyond] = 0
            return encode_back(head_back(d))

        return outputs, once(pullback)

    def _encode(self, x: Any, lengths: Any) -> Array:
        """Features (B, D·H), or without pooling (T, B, D·H) in the layout of x."""
        y, final = self.rnn(x, None, lengths)
        features, _ = self._pool(y, final, lengths)
        return self.dropout(features, inplace=True)

    def _encode_vjp(self, x: Any, lengths: Any) -> tuple[Array, Back]:
        """The same, and a pullback (dfeatures) -> dx."""
        (y, final), rnn_back = self.rnn.vjp(x, None, lengths)
        features, spread = self._pool(y, final, lengths)
        features, drop_back = self.dropout.vjp(features, inplace=True)
        return features, lambda dfeatures: rnn_back(*spread(drop_back(dfeatures)))[0]

    def _pool(self, y: Array, final: Any, lengths: Any) -> tuple[Array, Back]:
        """Features of what the stack gave for lengths that it has checked; see `pooling`."""
        if self.pooling is None:
            return y, lambda dfeatures: (dfeatures,)
        lengths = None if lengths is None else real_array("lengths", lengths)
        return POOLINGS[self.pooling](self.rnn, y, final, lengths)

    def _beyond(self, features: Array, lengths: Any) -> np.ndarray | None:
        """Where outputs of every step have no sequence; None where there are none."""
        if self.pooling is not None or lengths is None:
            return None
        count = features.shape[1 if self.batch_first else 0]
        beyond = padding(real_array("lengths", lengths), count)
        return beyond.T if self.batch_first else beyond

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return f"pooling={self.pooling!r}"
