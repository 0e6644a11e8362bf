"""The LSTM layer stack, with torch's signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import init, parameter
from .checks import dtype as check_dtype
from .checks import generator, probability, size
from .embedding import Embedding
from .module import Module, once
from .parameter import Parameter
from .stack import Call, infer

__all__ = ["LSTM"]

State = tuple[np.ndarray, np.ndarray]


class LSTM(Module):
    """A stack of LSTM layers over a sequence; torch.nn.LSTM's signature, order and defaults.

    For each step of each layer, with the gates i, f, g, o in this order in the weights' rows:

        i, f, o = sigmoid(W x_t + b + U h_{t-1} + d)    g = tanh(the same)
        c_t = f ∘ c_{t-1} + i ∘ g
        h_t = o ∘ tanh(c_t)

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    num_layers : int
        L; each layer reads the outputs of the one before.
    bias : bool
        Whether there are b and d.
    batch_first : bool
        Whether x and y are (B, T, …) instead of (T, B, …). States never are.
    dropout : float
        In training, the probability with which each output of all layers but the last is dropped.
    bidirectional : bool
        Whether a second direction (D = 2) reads the sequence from its end.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's (uniform within ±1/√H), and the dropout masks.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, … : Parameter
        (4H, I) or, after the first layer, (4H, D·H); (4H, H); (4H,); (4H,). With the suffix
        ``_reverse`` those of the second direction.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a dropout outside 0..1, another dtype.

    Notes
    -----
    A call keeps nothing in the module, so one may be used from several threads, and twice in a
    network. Results are the same to the bit on any number of threads.

    References
    ----------
    Hochreiter & Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997. Gers,
    Schmidhuber & Cummins, Learning to forget, Neural Computation 12(10), 2000.

    Examples
    --------
    >>> lstm = LSTM(10, 20, num_layers=2, seed=0)
    >>> y, (hn, cn) = lstm(np.ones((5, 3, 10)))
    >>> y.shape, hn.shape, cn.shape
    ((5, 3, 20), (2, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        seed: Any = None,
    ) -> None:
        self.input_size = size("input_size", input_size)
        self.hidden_size = size("hidden_size", hidden_size)
        self.num_layers = size("num_layers", num_layers)
        self.use_bias = bool(bias)
        self.batch_first = bool(batch_first)
        self.dropout = probability("dropout", dropout)
        self.bidirectional = bool(bidirectional)
        self.dtype = check_dtype(dtype)
        self.rng = generator(seed)
        directions = 2 if self.bidirectional else 1
        rows = 4 * self.hidden_size
        self._names: list[tuple[str, ...]] = []
        for layer in range(self.num_layers):
            inputs = self.input_size if layer == 0 else directions * self.hidden_size
            for suffix in ("", "_reverse")[:directions]:
                kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                names = tuple(f"{kind}_l{layer}{suffix}" for kind in kinds)
                shapes = ((rows, inputs), (rows, self.hidden_size), (rows,), (rows,))
                for name, shape in list(zip(names, shapes))[: 4 if self.use_bias else 2]:
                    setattr(self, name, Parameter(np.empty(shape, self.dtype)))
                self._names.append(names)
        init.reset_recurrent_(self, self.hidden_size, seed=self.rng)

    def __call__(self, x: Any, hx: tuple[Any, Any] | None = None) -> tuple[np.ndarray, State]:
        """Run over a sequence and keep nothing.

        Parameters
        ----------
        x : array_like, (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sequence
            T at least 1.
        hx : (h0, c0), optional
            (L·D, B, H) each, or (L·D, H) for a single sequence; zeros where not given.

        Returns
        -------
        y : numpy.ndarray, (T, B, D·H) in the layout of x
            The last layer's outputs, forward direction first.
        (hn, cn) : numpy.ndarray, (L·D, B, H) each
            The states after the last step of each layer and direction.

        Raises
        ------
        TypeError, ValueError
            Naming x, h0 or c0.
        """
        return infer(self, x, hx)

    def vjp(
        self, x: Any, hx: tuple[Any, Any] | None = None
    ) -> tuple[tuple[np.ndarray, State], Callable[..., tuple[np.ndarray, State]]]:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        (y, (hn, cn))
            As from a call.
        pullback : callable (dy, (dhn, dcn)=None) -> dx, (dh0, dc0)
            Back-propagation through time: takes cotangents of the outputs' shapes, any of them None
            for zero, and returns those of the inputs; adds to every parameter's gradient. May be
            called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, h0 or c0; the pullback's name dy, dhn or dcn.
        """
        call = Call(self, hx, x=x)
        return call.forward(), once(call.backward)

    def vjp_tokens(
        self, embedding: Embedding, tokens: Any, hx: tuple[Any, Any] | None = None
    ) -> tuple[tuple[np.ndarray, State], Callable[..., tuple[None, State]]]:
        """As ``vjp(embedding(tokens), hx)``, with the first layer's input product done by token.

        The embedding's table is projected once, (V, 4H), and its rows gathered; going back, dz is
        summed by token. With fewer kinds of tokens than tokens that saves all but V rows of the
        input product, and y is the same to the bit. The pullback adds to the embedding's gradient,
        too, and its dx is None.

        Parameters
        ----------
        embedding : Embedding
            Of `input_size` columns.
        tokens : array_like of int, (T, B), or (B, T) with batch_first
        hx : (h0, c0), optional

        Raises
        ------
        TypeError, ValueError
            Naming embedding, tokens, h0 or c0; the pullback's name dy, dhn or dcn.
        """
        call = Call(self, hx, tokens=tokens, embedding=embedding)
        return call.forward(), once(call.backward)

    def infer_tokens(
        self, embedding: Embedding, tokens: Any, hx: tuple[Any, Any] | None = None
    ) -> tuple[np.ndarray, State]:
        """As ``self(embedding(tokens), hx)``, by `vjp_tokens`'s way."""
        return Call(self, hx, tokens=tokens, embedding=embedding).infer()

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows, those that differ from the defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        if not self.use_bias:
            parts.append("bias=False")
        if self.batch_first:
            parts.append("batch_first=True")
        if self.dropout:
            parts.append(f"dropout={self.dropout}")
        if self.bidirectional:
            parts.append("bidirectional=True")
        return ", ".join(parts)

    def weights(self) -> list[Any]:
        """A `layer.Weights` for each layer and direction, anew when a parameter is exchanged."""
        d = self.__dict__
        cached = d.get("_weights")
        if cached is not None and cached[0] == parameter.epoch:
            return cached[2]
        from .layer import Weights

        epoch = parameter.epoch
        found = [tuple(map(d.get, names)) for names in self._names]
        same = cached is not None and cached[1] == found
        weights = cached[2] if same else [Weights(*w) for w in found]  # type: ignore[arg-type,index]
        self._weights = (epoch, found, weights)
        return weights
