"""y = x Wᵀ + b."""

from __future__ import annotations

import numpy as np

__all__ = ["linear_backward", "linear_forward"]

Array = np.ndarray


def linear_forward(x: Array, w: Array, b: Array | None = None) -> Array:
    """Return x Wᵀ + b.

    Parameters
    ----------
    x : array, shape (..., I)
    w : array, shape (O, I)
    b : array, shape (O,), or None

    Returns
    -------
    y : array, shape (..., O)
    """
    y = x @ w.T
    return y if b is None else y + b


def linear_backward(x: Array, w: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Return the gradients of x, W and b.

    Parameters
    ----------
    x : array, shape (..., I)
    w : array, shape (O, I)
    dy : array, shape (..., O)

    Returns
    -------
    dx : array, shape (..., I)
    dw : array, shape (O, I)
    db : array, shape (O,)
    """
    rows = dy.reshape(-1, w.shape[0])
    dx = dy @ w  # ∂y_o/∂x_i = W_oi
    dw = rows.T @ x.reshape(-1, w.shape[1])  # ∂y_o/∂W_oi = x_i, summed over rows
    db = rows.sum(axis=0)  # ∂y_o/∂b_o = 1, summed over rows
    return dx, dw, db
