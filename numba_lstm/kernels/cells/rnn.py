"""A plain recurrent cell on one vector of hidden units: h_t = tanh(z), or relu(z).

With z = x·W_ihᵀ + h_prev·W_hhᵀ + b_ih + b_hh. Backward dz = dh·(1 - h²), or dh where h > 0.
Elman (1990). The plain lines are in `reference.rnn_cell`.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import load, store, vmax, where_gt, zeros_like
from ..activations import tanh
from ..loops.cell import plain_cell


@kernel
def tanh_forward(z, h_prev, save, place):
    """Return h_t twice, as state and as output; with `save` store it at `place`."""
    h = tanh(load(z, 0))
    if save:
        store(place, 0, h)
    return h, h


@kernel
def tanh_backward(z, dh, h_prev, d_state):
    """Overwrite h_t at z by dz."""
    h = load(z, 0)
    store(z, 0, dh * (1.0 - h * h))
    return d_state


@kernel
def relu_forward(z, h_prev, save, place):
    """Return h_t twice, as state and as output; with `save` store it at `place`. NaN stays NaN."""
    x = load(z, 0)
    h = vmax(x, zeros_like(x))
    if save:
        store(place, 0, h)
    return h, h


@kernel
def relu_backward(z, dh, h_prev, d_state):
    """Overwrite h_t at z by dz."""
    store(z, 0, where_gt(load(z, 0), 0.0, dh, zeros_like(dh)))
    return d_state


RNN_TANH = plain_cell("rnn_tanh", 1, tanh_forward, tanh_backward, x_order=[0], h_order=[0])
RNN_RELU = plain_cell("rnn_relu", 1, relu_forward, relu_backward, x_order=[0], h_order=[0])
