"""y[n] = W[token n]."""

from __future__ import annotations

import numpy as np

__all__ = ["embedding_backward", "embedding_forward"]

Array = np.ndarray


def embedding_forward(tokens: Array, w: Array) -> Array:
    """Look every token's row up.

    Parameters
    ----------
    tokens : array of int, any shape
    w : array, shape (V, E)

    Returns
    -------
    y : array, shape (*tokens.shape, E)
    """
    return w[np.asarray(tokens, dtype=np.int64)]


def embedding_backward(tokens: Array, w: Array, dy: Array, padding_idx: int | None = None) -> Array:
    """Add every position's cotangent to its token's row, in order of position.

    Parameters
    ----------
    tokens : array of int, any shape
    w : array, shape (V, E)
    dy : array, shape (*tokens.shape, E)
    padding_idx : int, optional
        This token's row gets no gradient.

    Returns
    -------
    dw : array, shape (V, E)
    """
    dw = np.zeros(w.shape)
    rows = np.reshape(dy, (-1, w.shape[1]))
    for token, row in zip(np.ravel(tokens), rows):
        if token != padding_idx:
            dw[token] += row  # ∂y_n/∂W_v is 1 where v is token n, else 0
    return dw
