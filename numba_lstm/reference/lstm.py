"""The LSTM of Hochreiter & Schmidhuber (1997), with forget gates (Gers et al., 2000), as torch's.

One step, for a row of the batch, with ``z`` split into four parts in the order i, f, g, o::

    z = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh                        (1)
    i = σ(z_i)    f = σ(z_f)    g = tanh(z_g)    o = σ(z_o)         (2)
    c = f ∘ c_prev + i ∘ g                                          (3)
    h = o ∘ tanh(c)                                                 (4)

The backward functions quote these numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "LayerGradients",
    "LayerSaved",
    "StackGradients",
    "StackSaved",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "lstm_stack_backward",
    "lstm_stack_forward",
    "sigmoid",
]

Array = np.ndarray


class LayerSaved(NamedTuple):
    """What one direction of one layer keeps for its backward pass."""

    x: Array  # (T, B, I)
    h: Array  # (T+1, B, H), slot 0 is h0
    c: Array  # (T+1, B, H), slot 0 is c0
    gates: Array  # (T, B, 4H), post-activation, in the order i, f, g, o
    w_ih: Array  # (4H, I)
    w_hh: Array  # (4H, H)


class LayerGradients(NamedTuple):
    """Gradients of one direction of one layer, each of its argument's shape."""

    dx: Array
    dh0: Array
    dc0: Array
    dw_ih: Array
    dw_hh: Array
    db_ih: Array
    db_hh: Array


class StackSaved(NamedTuple):
    """What a stack keeps: a `LayerSaved` for each layer and direction, and the masks."""

    layers: list[list[LayerSaved]]
    masks: Sequence[Array | None]
    names: list[str]


class StackGradients(NamedTuple):
    """Gradients of a stack; `parameters` holds them by torch's names."""

    dx: Array
    dh0: Array
    dc0: Array
    parameters: dict[str, Array]


def sigmoid(z: Array) -> Array:
    """Return 1/(1 + e⁻ᶻ), written so that no exponential overflows; z may be complex."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def lstm_cell_forward(
    x: Array,
    h_prev: Array,
    c_prev: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Do one step.

    Parameters
    ----------
    x : array, shape (B, I)
    h_prev, c_prev : array, shape (B, H)
    w_ih : array, shape (4H, I)
    w_hh : array, shape (4H, H)
    b_ih, b_hh : array, shape (4H,), or None

    Returns
    -------
    h, c : array, shape (B, H)
    gates : array, shape (B, 4H)
        i, f, g, o after their activations: what the backward step needs.
    """
    z = x @ w_ih.T + h_prev @ w_hh.T  # (1)
    for b in (b_ih, b_hh):
        if b is not None:
            z = z + b
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)  # (2)
    c = f * c_prev + i * g  # (3)
    h = o * np.tanh(c)  # (4)
    return h, c, np.concatenate([i, f, g, o], axis=1)


def lstm_cell_backward(
    dh: Array, dc: Array, gates: Array, c: Array, c_prev: Array
) -> tuple[Array, Array]:
    """Go one step back, from the outputs' cotangents to those of z and c_prev.

    Parameters
    ----------
    dh, dc : array, shape (B, H)
        Everything that flows into h and c from outside this step.
    gates : array, shape (B, 4H)
    c, c_prev : array, shape (B, H)

    Returns
    -------
    dz : array, shape (B, 4H)
    dc_prev : array, shape (B, H)
    """
    i, f, g, o = np.split(gates, 4, axis=1)
    tanh_c = np.tanh(c)
    do = dh * tanh_c  # from (4): ∂h/∂o = tanh(c)
    dc = dc + dh * o * (1 - tanh_c**2)  # from (4): ∂h/∂c = o (1 - tanh²c)
    di = dc * g  # from (3): ∂c/∂i = g
    dg = dc * i  # from (3): ∂c/∂g = i
    df = dc * c_prev  # from (3): ∂c/∂f = c_prev
    dc_prev = dc * f  # from (3): ∂c/∂c_prev = f
    dz_i = di * i * (1 - i)  # from (2): σ' = σ (1 - σ)
    dz_f = df * f * (1 - f)  # from (2)
    dz_g = dg * (1 - g**2)  # from (2): tanh' = 1 - tanh²
    dz_o = do * o * (1 - o)  # from (2)
    return np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1), dc_prev


def lstm_forward(
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> tuple[Array, Array, Array, LayerSaved]:
    """Run one direction of one layer over a sequence.

    Parameters
    ----------
    x : array, shape (T, B, I)
    h0, c0 : array, shape (B, H)
    w_ih : array, shape (4H, I)
    w_hh : array, shape (4H, H)
    b_ih, b_hh : array, shape (4H,), or None

    Returns
    -------
    y : array, shape (T, B, H)
    hn, cn : array, shape (B, H)
    saved : LayerSaved
    """
    steps, batch, hidden = x.shape[0], x.shape[1], w_hh.shape[1]
    biases = [b for b in (b_ih, b_hh) if b is not None]
    dtype = np.result_type(x, h0, c0, w_ih, w_hh, *biases, np.float64)
    h = np.empty((steps + 1, batch, hidden), dtype)
    c = np.empty((steps + 1, batch, hidden), dtype)
    gates = np.empty((steps, batch, 4 * hidden), dtype)
    h[0], c[0] = h0, c0
    for t in range(steps):
        h[t + 1], c[t + 1], gates[t] = lstm_cell_forward(x[t], h[t], c[t], w_ih, w_hh, b_ih, b_hh)
    return h[1:].copy(), h[-1].copy(), c[-1].copy(), LayerSaved(x, h, c, gates, w_ih, w_hh)


def lstm_backward(
    saved: LayerSaved, dy: Array, dhn: Array | float = 0.0, dcn: Array | float = 0.0
) -> LayerGradients:
    """Go back through time over what `lstm_forward` saved.

    Parameters
    ----------
    saved : LayerSaved
    dy : array, shape (T, B, H)
    dhn, dcn : array, shape (B, H), or 0

    Returns
    -------
    LayerGradients
        The two biases' gradients are equal: they stand in (1) side by side.
    """
    x, h, c, gates, w_ih, w_hh = saved
    dx = np.empty(x.shape)
    dw_ih, dw_hh, db = np.zeros(w_ih.shape), np.zeros(w_hh.shape), np.zeros(w_ih.shape[0])
    dh = np.zeros(h[0].shape) + dhn  # the last h is also hn
    dc = np.zeros(c[0].shape) + dcn  # the last c is also cn
    for t in reversed(range(len(x))):
        dh = dh + dy[t]  # y_t is h_t
        dz, dc = lstm_cell_backward(dh, dc, gates[t], c[t + 1], c[t])
        dx[t] = dz @ w_ih  # from (1): ∂z/∂x = W_ih
        dh = dz @ w_hh  # from (1): ∂z/∂h_prev = W_hh; flows into the step before
        dw_ih += dz.T @ x[t]  # from (1), summed over rows and steps
        dw_hh += dz.T @ h[t]  # from (1): h[t] is h_prev of step t
        db += dz.sum(axis=0)  # from (1), summed over rows and steps
    return LayerGradients(dx, dh, dc, dw_ih, dw_hh, db, db.copy())


def lstm_stack_forward(
    x: Array,
    h0: Array,
    c0: Array,
    parameters: Mapping[str, Any],
    masks: Sequence[Array | None] = (),
) -> tuple[Array, Array, Array, StackSaved]:
    """Run a stack of layers, in one direction or both.

    Parameters
    ----------
    x : array, shape (T, B, I)
    h0, c0 : array, shape (L·D, B, H)
        Layer by layer, each layer's forward direction before its reverse.
    parameters : mapping of str to array
        By torch's names: ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``, and
        for the reverse direction the same with ``_reverse``. The names say how many layers and
        directions there are and whether there are biases.
    masks : sequence of (array of shape (T, B, D·H), or None)
        Dropout masks between layers, scaled already: layer l's output is multiplied by masks[l]
        before it enters layer l+1. None, or a sequence that ends before, means all ones.

    Returns
    -------
    y : array, shape (T, B, D·H)
    hn, cn : array, shape (L·D, B, H)
    saved : StackSaved
    """
    suffixes = ["", "_reverse"] if "weight_hh_l0_reverse" in parameters else [""]
    layers = sum(name.startswith("weight_hh_l") for name in parameters) // len(suffixes)
    saved: list[list[LayerSaved]] = []
    hn: list[Array] = []
    cn: list[Array] = []
    for layer in range(layers):
        outputs, kept = [], []
        for suffix in suffixes:
            which = len(hn)
            names = _names(layer, suffix)
            weights: list[Any] = [parameters.get(name) for name in names]
            flipped = x[::-1] if suffix else x  # the reverse direction starts at the end
            y, h, c, keep = lstm_forward(flipped, h0[which], c0[which], *weights)
            outputs.append(y[::-1] if suffix else y)
            hn.append(h)
            cn.append(c)
            kept.append(keep)
        saved.append(kept)
        x = np.concatenate(outputs, axis=2)
        if layer + 1 < layers and (mask := _mask(masks, layer)) is not None:
            x = x * mask
    return x, np.stack(hn), np.stack(cn), StackSaved(saved, masks, list(parameters))


def lstm_stack_backward(
    saved: StackSaved, dy: Array, dhn: Array | None = None, dcn: Array | None = None
) -> StackGradients:
    """Go back through what `lstm_stack_forward` saved.

    Parameters
    ----------
    saved : StackSaved
    dy : array, shape (T, B, D·H)
    dhn, dcn : array, shape (L·D, B, H), or None for zero

    Returns
    -------
    StackGradients
    """
    directions = len(saved.layers[0])
    gradients: dict[str, Array] = {}
    dh0: list[Any] = [None] * (len(saved.layers) * directions)
    dc0: list[Any] = [None] * len(dh0)
    for layer in reversed(range(len(saved.layers))):
        if layer + 1 < len(saved.layers) and (mask := _mask(saved.masks, layer)) is not None:
            dy = dy * mask  # y·mask entered the next layer
        parts = np.split(dy, directions, axis=2)  # the directions' outputs were concatenated
        dx: Any = 0.0
        for direction, suffix in enumerate(["", "_reverse"][:directions]):
            which = layer * directions + direction
            part = parts[direction][::-1] if suffix else parts[direction]
            back = lstm_backward(
                saved.layers[layer][direction],
                part,
                0.0 if dhn is None else dhn[which],
                0.0 if dcn is None else dcn[which],
            )
            dx = dx + (back.dx[::-1] if suffix else back.dx)  # both directions read the same x
            dh0[which], dc0[which] = back.dh0, back.dc0
            gradients.update(zip(_names(layer, suffix), back[3:]))
        dy = dx
    parameters = {name: gradients[name] for name in saved.names}
    return StackGradients(dy, np.stack(dh0), np.stack(dc0), parameters)


def _names(layer: int, suffix: str) -> list[str]:
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [f"{kind}_l{layer}{suffix}" for kind in kinds]


def _mask(masks: Sequence[Array | None], layer: int) -> Array | None:
    return masks[layer] if layer < len(masks) else None
