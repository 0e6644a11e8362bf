"""A GRU's gates on one vector of hidden units, forward and backward.

Forward, where x_g and h_g are the parts of x·W_ihᵀ + b_ih and h_prev·W_hhᵀ + b_hh for gate g:

    r, z = sigmoid(x_r + h_r, x_z + h_z)
    n = tanh(x_n + r·h_n)
    h_t = (1 - z)·n + z·h_prev

The two parts of n are added after r is known, so a unit has four vectors of pre-activations: x_n,
x_r + h_r, x_z + h_z and h_n. The inputs reach the first three and the state the last three.
Backward, from dh (the gradient of h_t) to the gradients of these four:

    dn   = dh·(1 - z)             dx_n = dn·(1 - n²)
    dr   = dx_n·h_n               d_r  = dr·r·(1 - r)
    dz   = dh·(h_prev - n)        d_z  = dz·z·(1 - z)
    dh_n = dx_n·r                 dh_prev = dh·z, and what comes through W_hh

Cho et al. (2014), with the reset gate after the product as torch and cuDNN have it. The plain lines
are in `reference.gru_cell`.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import fma, lanes, load, store
from ..activations import sigmoid, tanh
from ..loops.cell import plain_cell


@kernel
def gates_forward(z, h_prev, save, place):
    """Return h_t twice, as state and as output; with `save` store n, r, z, h_n at `place`."""
    v = lanes(z)
    h_n = load(z, 3 * v)
    r = sigmoid(load(z, v))
    update = sigmoid(load(z, 2 * v))
    n = tanh(fma(r, h_n, load(z, 0)))
    h = fma(update, h_prev - n, n)
    if save:
        store(place, 0, n)
        store(place, v, r)
        store(place, 2 * v, update)
        store(place, 3 * v, h_n)
    return h, h


@kernel
def gates_backward(z, dh, h_prev, d_state):
    """Overwrite n, r, z, h_n at z by their gradients; return dh_prev past W_hh."""
    v = lanes(z)
    n, r, update, h_n = load(z, 0), load(z, v), load(z, 2 * v), load(z, 3 * v)
    dh = dh + d_state
    dx_n = dh * (1.0 - update) * (1.0 - n * n)
    store(z, 0, dx_n)
    store(z, v, dx_n * h_n * r * (1.0 - r))
    store(z, 2 * v, dh * (h_prev - n) * update * (1.0 - update))
    store(z, 3 * v, dx_n * r)
    return dh * update


GRU = plain_cell(
    "gru", 3, gates_forward, gates_backward, x_order=[2, 0, 1, -1], h_order=[-1, 0, 1, 2],
    carries=True,
)  # fmt: skip
