"""An LSTM's gates on one vector of hidden units, forward and backward.

Forward, with z = x·W_ihᵀ + h·W_hhᵀ + b_ih + b_hh in the order i, f, g, o:

    i, f, o = sigmoid(z_i, z_f, z_o),  g = tanh(z_g)
    c_t = f·c_prev + i·g
    h_t = o·tanh(c_t)

Backward, from dh (the gradient of h_t) and dc (that of c_t past h_t):

    do  = dh·tanh(c_t)                 dz_o = do·o·(1 - o)
    dc += dh·o·(1 - tanh(c_t)²)
    di  = dc·g                         dz_i = di·i·(1 - i)
    dg  = dc·i                         dz_g = dg·(1 - g²)
    df  = dc·c_prev                    dz_f = df·f·(1 - f)
    dc_prev = dc·f

Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000). The plain lines are in
`reference.lstm_cell`.
"""

from __future__ import annotations

from typing import Any

from ...jit import kernel
from ...simd import fma, lanes, load, store
from ..activations import sigmoid, tanh
from ..loops.cell import plain_cell, projected_cell


@kernel
def open_gates(z, c_prev, save, place):
    """Return c_t and o; with `save` store i, f, g, o at `place`."""
    v = lanes(z)
    i = sigmoid(load(z, 0))
    f = sigmoid(load(z, v))
    g = tanh(load(z, 2 * v))
    o = sigmoid(load(z, 3 * v))
    if save:
        store(place, 0, i)
        store(place, v, f)
        store(place, 2 * v, g)
        store(place, 3 * v, o)
    return fma(f, c_prev, i * g), o


@kernel
def gates_forward(z, c_prev, save, place):
    """Return c_t and h_t; with `save` store i, f, g, o at `place`."""
    c, o = open_gates(z, c_prev, save, place)
    return c, o * tanh(c)


@kernel
def gates_backward(z, dh, c_prev, dc):
    """Overwrite the gates at z by dz; return dc_prev."""
    v = lanes(z)
    i, f, g, o = load(z, 0), load(z, v), load(z, 2 * v), load(z, 3 * v)
    # Recompute c_t exactly as forward did; with zoneout the saved c differs.
    tanh_c = tanh(fma(f, c_prev, i * g))
    dct = fma(dh * o, 1.0 - tanh_c * tanh_c, dc)
    store(z, 0, dct * g * i * (1.0 - i))
    # In this order a gate that is saturated gives 0 for cells of any size: dct·c_prev may overflow.
    store(z, v, f * (1.0 - f) * dct * c_prev)
    store(z, 2 * v, dct * i * (1.0 - g * g))
    store(z, 3 * v, dh * tanh_c * o * (1.0 - o))
    return dct * f


_ABOUT: dict[str, Any] = {
    "x_order": [0, 1, 2, 3],
    "h_order": [0, 1, 2, 3],
    "states": 2,
    "carries": True,
}
LSTM = plain_cell("lstm", 4, gates_forward, gates_backward, **_ABOUT)
# h = W_hr·(o ∘ tanh c): Sak, Senior & Beaufays (2014).
PROJECTED_LSTM = projected_cell("lstm_projected", 4, gates_forward, gates_backward, **_ABOUT)
