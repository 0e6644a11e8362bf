"""A GRU's gates with the reset gate before the product, on one vector of hidden units.

Forward, with x_g and h_g the parts of x·W_ihᵀ and h_prev·W_hhᵀ (biases among them) of gate g:

    r, z = sigmoid(x_r + h_r, x_z + h_z)
    n = tanh(x_n + (r ∘ h_prev)·W_hnᵀ)
    h_t = (1 - z)·n + z·h_prev

in two phases, as n needs r of all units. z's four vectors are x_n, r, z and one of no use; both
biases of n stand in the first. Backward, with dh everything that reaches h_t, in two phases:

    dn = dh·(1 - z)            dx_n = dn·(1 - n²)
    dz = dh·(h_prev - n)       d_z  = dz·z·(1 - z)        dh_prev = dh·z

    dm = dx_n·W_hn, of m = r ∘ h_prev
    dr = dm·h_prev             d_r  = dr·r·(1 - r)        dh_prev += dm·r

Reference: Cho et al. (2014); ONNX's linear_before_reset=0, Keras's reset_after=False.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import fma, lanes, load, store
from ..activations import sigmoid, tanh
from ..loops.cell import reset_before_cell


@kernel
def gates_forward(z, h_prev, save, place):
    """Give r, and leave x_n, r, z at `place`, where the second phase looks for them."""
    v = lanes(z)
    r = sigmoid(load(z, v))
    store(place, 0, load(z, 0))
    store(place, v, r)
    store(place, 2 * v, sigmoid(load(z, 2 * v)))
    return r, r


@kernel
def finish_forward(h_n, h_prev, save, place):
    """Give h_t from the second product, and leave n where x_n stood."""
    n = tanh(load(place, 0) + h_n)
    if save:
        store(place, 0, n)
    return fma(load(place, 2 * lanes(place)), h_prev - n, n)


@kernel
def gates_backward(z, dh, h_prev, d_state):
    """Overwrite n and z at z by their gradients; gives what goes to h_prev past the products."""
    v = lanes(z)
    n, update = load(z, 0), load(z, 2 * v)
    dh = dh + d_state
    store(z, 0, dh * (1.0 - update) * (1.0 - n * n))
    store(z, 2 * v, dh * (h_prev - n) * update * (1.0 - update))
    return dh * update


@kernel
def finish_backward(z, dm, h_prev):
    """Overwrite r at z by its gradient; gives what goes to h_prev by way of r ∘ h_prev."""
    v = lanes(z)
    r = load(z, v)
    store(z, v, dm * h_prev * r * (1.0 - r))
    return dm * r


GRU_BEFORE = reset_before_cell(
    "gru_before", 3, (gates_forward, finish_forward), (gates_backward, finish_backward),
    x_order=[2, 0, 1, -1], h_order=[-1, 0, 1, -1], bias_order=[2, 0, 1, -1], carries=True,
)  # fmt: skip
