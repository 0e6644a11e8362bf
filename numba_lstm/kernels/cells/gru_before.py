"""A GRU's gates with the reset gate before the product, on one vector of hidden units.

Forward, where x_g and h_g are the parts of x·W_ihᵀ + b_ih and h_prev·W_hhᵀ + b_hh for gate g:

    r, z = sigmoid(x_r + h_r, x_z + h_z)
    n = tanh(x_n + (r ∘ h_prev)·W_hnᵀ + b_hn)
    h_t = (1 - z)·n + z·h_prev

in two phases, because n needs r of all units. A unit's four vectors of pre-activations are x_n +
b_hn, x_r + h_r, x_z + h_z and an unused one. Backward, from dh (the gradient of h_t), in two
phases:

    dn = dh·(1 - z)            dx_n = dn·(1 - n²)
    dz = dh·(h_prev - n)       d_z  = dz·z·(1 - z)        dh_prev = dh·z

    dm = dx_n·W_hn             where m = r ∘ h_prev
    dr = dm·h_prev             d_r  = dr·r·(1 - r)        dh_prev += dm·r

Cho et al. (2014); ONNX's linear_before_reset=0, Keras's reset_after=False. The plain lines are in
`reference.gru_cell`.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import fma, lanes, load, store
from ..activations import sigmoid, tanh
from ..loops.cell import reset_before_cell


@kernel
def gates_forward(z, h_prev, save, place):
    """Return r twice; store x_n, r, z at `place` for the second phase."""
    v = lanes(z)
    r = sigmoid(load(z, v))
    store(place, 0, load(z, 0))
    store(place, v, r)
    store(place, 2 * v, sigmoid(load(z, 2 * v)))
    return r, r


@kernel
def finish_forward(h_n, h_prev, save, place):
    """Return h_t from the second product; with `save` store n over x_n."""
    n = tanh(load(place, 0) + h_n)
    if save:
        store(place, 0, n)
    return fma(load(place, 2 * lanes(place)), h_prev - n, n)


@kernel
def gates_backward(z, dh, h_prev, d_state):
    """Overwrite n and z at z by their gradients; return dh_prev past the products."""
    v = lanes(z)
    n, update = load(z, 0), load(z, 2 * v)
    dh = dh + d_state
    store(z, 0, dh * (1.0 - update) * (1.0 - n * n))
    store(z, 2 * v, dh * (h_prev - n) * update * (1.0 - update))
    return dh * update


@kernel
def finish_backward(z, dm, h_prev):
    """Overwrite r at z by its gradient; return dh_prev through r ∘ h_prev."""
    v = lanes(z)
    r = load(z, v)
    store(z, v, dm * h_prev * r * (1.0 - r))
    return dm * r


GRU_BEFORE = reset_before_cell(
    "gru_before", 3, (gates_forward, finish_forward), (gates_backward, finish_backward),
    x_order=[2, 0, 1, -1], h_order=[-1, 0, 1, -1], bias_order=[2, 0, 1, -1], carries=True,
)  # fmt: skip
