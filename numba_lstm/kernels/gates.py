"""An LSTM's gates on one vector of hidden units, forward and backward.

Forward, with z = x·W_ihᵀ + h·W_hhᵀ + b_ih + b_hh in the order i, f, g, o:

    i, f, o = sigmoid(z_i, z_f, z_o),  g = tanh(z_g)
    c_t = f·c_prev + i·g
    h_t = o·tanh(c_t)

Backward, from dh (everything that reaches h_t) and dc (what reaches c_t from c_{t+1}):

    do  = dh·tanh(c_t)                 dz_o = do·o·(1 - o)
    dc += dh·o·(1 - tanh(c_t)²)
    di  = dc·g                         dz_i = di·i·(1 - i)
    dg  = dc·i                         dz_g = dg·(1 - g²)
    df  = dc·c_prev                    dz_f = df·f·(1 - f)
    dc_prev = dc·f

The gates of a hidden unit stand V items apart: i at z, f at z + V, g at z + 2V, o at z + 3V.
Reference: Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000).
"""

from __future__ import annotations

from ..jit import kernel
from ..simd import fma, lanes, load, store
from .activations import sigmoid, tanh

GATES = 4


@kernel
def gates_forward(z, c_prev, c_out, h_out):
    """Read z's four gates and c_prev; write c_t, h_t. Returns the gates after activation."""
    v = lanes(z)
    i = sigmoid(load(z, 0))
    f = sigmoid(load(z, v))
    g = tanh(load(z, 2 * v))
    o = sigmoid(load(z, 3 * v))
    c = fma(f, load(c_prev, 0), i * g)
    h = o * tanh(c)
    store(c_out, 0, c)
    store(h_out, 0, h)
    return i, f, g, o, h


@kernel
def gates_backward(z, dh, c_prev, c, dc):
    """Overwrite the gates at z by dz, and dc by dc_prev. `dh` is a vector, the rest pointers."""
    v = lanes(z)
    i, f, g, o = load(z, 0), load(z, v), load(z, 2 * v), load(z, 3 * v)
    tanh_c = tanh(load(c, 0))
    dct = fma(dh * o, 1.0 - tanh_c * tanh_c, load(dc, 0))
    store(z, 0, dct * g * i * (1.0 - i))
    store(z, v, dct * load(c_prev, 0) * f * (1.0 - f))
    store(z, 2 * v, dct * i * (1.0 - g * g))
    store(z, 3 * v, dh * tanh_c * o * (1.0 - o))
    store(dc, 0, dct * f)
