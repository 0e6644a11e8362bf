"""One step of torch's optimizers for one parameter, and clipping over all of them.

A step takes the parameter, its gradient and the state that the step before returned ({} at first),
and returns the new parameter and the new state. It writes to none of its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["adam_step", "adamw_step", "clip_grad_norm", "sgd_step"]

Array = np.ndarray
State = dict[str, Any]


def sgd_step(
    p: Array,
    g: Array,
    state: State,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[Array, State]:
    """Stochastic gradient descent with torch's momentum (which the learning rate multiplies)::

    g = g + weight_decay · p
    buf = momentum · buf + (1 - dampening) · g      (the first step: buf = g)
    p = p - lr · (g + momentum · buf if nesterov else buf)
    """
    g = g + weight_decay * p
    if momentum:
        buf = momentum * state["buf"] + (1 - dampening) * g if state else g
        state = {"buf": buf}
        g = g + momentum * buf if nesterov else buf
    return p - lr * g, state


def adam_step(
    p: Array,
    g: Array,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Array, State]:
    """Adam (Kingma & Ba, 2015), weight decay as an addend of the gradient::

    g = g + weight_decay · p
    m = β1 m + (1 - β1) g        v = β2 v + (1 - β2) g²
    p = p - lr · (m / (1 - β1ᵗ)) / (√(v / (1 - β2ᵗ)) + eps)
    """
    g = g + weight_decay * p
    t = state.get("t", 0) + 1
    m = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), {"t": t, "m": m, "v": v}


def adamw_step(
    p: Array,
    g: Array,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> tuple[Array, State]:
    """AdamW (Loshchilov & Hutter, 2019): Adam after p = p - lr · weight_decay · p."""
    return adam_step(p * (1 - lr * weight_decay), g, state, lr=lr, betas=betas, eps=eps)


def clip_grad_norm(gradients: Sequence[Array], max_norm: float) -> tuple[float, list[Array]]:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)), as torch does.

    Parameters
    ----------
    gradients : sequence of array
    max_norm : float

    Returns
    -------
    norm : float
        The 2-norm of all gradients together, before scaling.
    clipped : list of array
    """
    norm = float(np.sqrt(sum(float((g**2).sum()) for g in gradients)))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return norm, [g * factor for g in gradients]
