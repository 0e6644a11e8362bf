"""The recurrent language model: embedding, a stack of LSTM, GRU or RNN, dropout, linear.

The architecture of Zaremba, Sutskever and Vinyals, "Recurrent neural network regularization"
(2014): dropout stands on the non-recurrent connections only.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..checks import as_cotangent, as_tokens, choice, flag, generator, probability, size
from ..checks import dtype as check_dtype
from ..nn import GRU, LSTM, RNN, Dropout, Embedding, Linear, Module
from ..nn.pullback import once
from ..typing import Array, ArrayLike, DTypeLike, Seed
from .stacks import STACKS

__all__ = ["LanguageModel"]


class LogitsPullback(Protocol):
    """Of a language model: ``(dlogits) -> None``."""

    def __call__(self, dlogits: ArrayLike | None) -> None:
        """Add to every parameter's gradient."""


class LanguageModel(Module):
    """Predict each next token from all before it.

    ``logits = decoder(dropout(lstm(dropout(embedding(tokens)))))``, where a GRU or an RNN may stand
    in the LSTM's place. The stack is the attribute ``lstm``, ``gru`` or ``rnn``, after `cell`.

    Parameters
    ----------
    vocab_size : int
        V, the number of different tokens.
    embedding_size : int
        E, the width of the embedding.
    hidden_size : int
        H, the units of each recurrent layer.
    num_layers : int
        L, the recurrent layers.
    dropout : float
        The probability to drop a unit while training: of the embedding's output, between layers
        and before the decoder.
    tie_weights : bool
        Use the embedding's own parameter as the decoder's weight (Press and Wolf, 2017).
    embedding_dropout : float, optional
        Another probability for the embedding's output; ``dropout`` where it is not given.
    cell : str
        ``"lstm"``, ``"gru"`` or ``"rnn"`` (tanh), what the layers are made of.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        The same seed gives the same parameters and the same dropout masks.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a probability outside 0..1, another dtype or cell, a
        flag that is no boolean; or ``tie_weights`` where ``embedding_size`` is not
        ``hidden_size``.

    Examples
    --------
    >>> model = LanguageModel(65, 16, 32, seed=0)
    >>> logits, state = model([[1, 2], [3, 4], [5, 6]])
    >>> logits.shape, state[0].shape
    ((3, 2, 65), (1, 2, 32))
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        tie_weights: bool = False,
        *,
        embedding_dropout: float | None = None,
        cell: str = "lstm",
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.vocab_size = size("vocab_size", vocab_size)
        self.embedding_size = size("embedding_size", embedding_size)
        self.hidden_size = size("hidden_size", hidden_size)
        self.num_layers = size("num_layers", num_layers)
        self.cell = choice("cell", cell, tuple(STACKS))
        self.dtype = check_dtype(dtype)
        self.tie_weights = flag("tie_weights", tie_weights)
        dropout = probability("dropout", dropout)
        if embedding_dropout is None:
            embedding_dropout = dropout
        if self.tie_weights and self.embedding_size != self.hidden_size:
            raise ValueError(
                "tie_weights: expected embedding_size and hidden_size to be equal, "
                f"got {self.embedding_size} and {self.hidden_size}"
            )
        rng = generator(seed)
        about: dict[str, Any] = {"dtype": self.dtype, "seed": rng}
        self.embedding = Embedding(self.vocab_size, self.embedding_size, **about)
        self.embedding_dropout = Dropout(
            probability("embedding_dropout", embedding_dropout), seed=rng
        )
        # With one layer there is nothing between layers, and torch warns of dropout there.
        between = dropout if self.num_layers > 1 else 0.0
        sizes = self.embedding_size, self.hidden_size, self.num_layers
        setattr(self, self.cell, STACKS[self.cell](*sizes, dropout=between, **about))
        self.dropout = Dropout(dropout, seed=rng)
        self.decoder = Linear(self.hidden_size, self.vocab_size, **about)
        if self.tie_weights:
            # The embedding's own unit variance would make logits of the size of sqrt(H).
            bound = self.hidden_size**-0.5
            self.embedding.weight[...] = rng.uniform(-bound, bound, self.embedding.weight.shape)
            self.decoder.weight = self.embedding.weight

    @property
    def stack(self) -> LSTM | GRU | RNN:
        """The recurrent layers, whichever they are."""
        return getattr(self, self.cell)

    def __call__(self, tokens: ArrayLike, state: Any = None) -> tuple[Array, Any]:
        """Compute the logits of each next token and keep nothing.

        Parameters
        ----------
        tokens : array_like of int
            (T, B), each at least 0 and below V; T at least 1.
        state : (h, c), or h for a GRU and an RNN, optional
            (L, B, H) each; zeros where it is not given.

        Returns
        -------
        logits : numpy.ndarray
            (T, B, V).
        (h, c), or h for a GRU and an RNN
            The state after the last step, (L, B, H) each.

        Raises
        ------
        TypeError, ValueError
            Naming tokens, h0 or c0.
        """
        tokens = self._tokens(tokens)
        if self._by_token(tokens):
            y, final = self.stack.infer_tokens(self.embedding, tokens, state)
        else:
            x = self.embedding_dropout(self.embedding(tokens), inplace=True)
            y, final = self.stack(x, state)
        return self.decoder(self.dropout(y, inplace=True)), final

    def vjp(self, tokens: ArrayLike, state: Any = None) -> tuple[tuple[Array, Any], LogitsPullback]:
        """Compute what `__call__` does, and a pullback.

        Parameters
        ----------
        tokens, state
            As for a call.

        Returns
        -------
        (logits, state)
            As `__call__`'s.
        pullback : callable
            ``pullback(dlogits) -> None`` adds to every parameter's gradient. ``dlogits`` is
            (T, B, V), or None for zero. The state is taken as a constant: gradients do not
            travel into the state given nor out of the state returned, which is what truncated
            back-propagation wants.

        Raises
        ------
        TypeError, ValueError
            Naming tokens, h0 or c0; the pullback's name dlogits.
        """
        tokens = self._tokens(tokens)
        (y, final), input_back = self._stack_vjp(tokens, state)
        y, drop_y_back = self.dropout.vjp(y, inplace=True)
        logits, decode_back = self.decoder.vjp(y)
        shape = logits.shape

        def pullback(dlogits: Any) -> None:
            dlogits = as_cotangent("dlogits", dlogits, self.dtype, shape)
            input_back(drop_y_back(decode_back(dlogits)))

        return (logits, final), once(pullback)

    def _tokens(self, tokens: ArrayLike) -> np.ndarray:
        tokens = as_tokens("tokens", tokens, self.vocab_size, ndim=2)
        if tokens.shape[0] == 0:
            raise ValueError(f"tokens: expected at least one time step, got shape {tokens.shape}")
        return tokens

    def _stack_vjp(self, tokens: np.ndarray, state: Any) -> Any:
        """The stack's outputs of tokens, and a pullback (dy) -> None."""
        if self._by_token(tokens):
            return self.stack.vjp_tokens(self.embedding, tokens, state)
        x, embed_back = self.embedding.vjp(tokens)
        x, drop_back = self.embedding_dropout.vjp(x, inplace=True)
        outputs, stack_back = self.stack.vjp(x, state)
        return outputs, lambda dy: embed_back(drop_back(stack_back(dy)[0]))

    def _by_token(self, tokens: np.ndarray) -> bool:
        """Whether the first layer's input product is cheaper by kind of token; the same bits.

        Dropout of the embedding's output makes each occurrence of a token another one.
        """
        dropping = self.training and self.embedding_dropout.p > 0.0
        return not dropping and self.vocab_size < tokens.size
