"""An LSTM's gates with ONNX's options, on one vector of hidden units, forward and backward.

Forward, with z in the order i, f, g, o, peephole weights p, and clip(x) holding x within ±bound:

    i = sigmoid(clip(z_i + p_i·c_prev))
    f = sigmoid(clip(z_f + p_f·c_prev)), coupled: 1 - i
    g = tanh(clip(z_g))
    c_t = f·c_prev + i·g
    o = sigmoid(clip(z_o + p_o·c_t))
    h_t = o·tanh(c_t)

Backward, from dh (the gradient of h_t) and dc (that of c_t past h_t). A dz is zero where its
argument was clipped:

    dz_o = dh·tanh(c_t)·o·(1 - o)
    dc += dh·o·(1 - tanh(c_t)²) + dz_o·p_o
    df = dc·c_prev                     dz_f = df·f·(1 - f), coupled: 0
    di = dc·g, coupled: less df        dz_i = di·i·(1 - i)
    dz_g = dc·i·(1 - g²)
    dc_prev = dc·f + dz_i·p_i + dz_f·p_f
    dp = the sums of dz_i·c_prev, dz_f·c_prev, dz_o·c_t

One cell serves all combinations: without peepholes p is 0, without a clip the bound is infinite.
The options cost loads and a few instructions beside five exponentials. Machine code for each
combination would cost 16 times half a minute of compilation.

Gers & Schmidhuber, Recurrent nets that time and count (2000); Greff et al., LSTM: a search space
odyssey (2017), for coupled gates; onnxruntime, for the clip. The plain lines are in
`reference.lstm_cell`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...jit import driver, kernel
from ...parts import parts
from ...simd import (
    flush_denormals,
    fma,
    lanes,
    load,
    restore_denormals,
    store,
    vmax,
    vmin,
    where_gt,
    zeros_like,
)
from ..activations import sigmoid, tanh
from ..blocks import first
from ..loops.cell import plain_cell, projected_cell
from ..loops.states import rows_in_step

# The vectors of a unit's constants: three of weights, then `settings`.
_P_I, _P_F, _P_O, _BOUND, _TANH_BOUND, _COUPLED = range(6)


def settings(clip: float | None, coupled: bool) -> tuple[float, ...]:
    """The constants behind the peephole weights: bound, tanh(bound), whether gates are coupled."""
    bound = math.inf if clip is None else clip
    return bound, math.tanh(bound), float(coupled)


@kernel
def _magnitude(x):
    return vmax(x, zeros_like(x) - x)


@kernel
def _clipped(x, bound):
    return vmin(vmax(x, zeros_like(x) - bound), bound)


@kernel
def _marked(gate, x, bound):
    """A sigmoid as it is saved for backward: negated if its argument x was clipped.

    Comparing it with sigmoid(bound) would not find out: arguments within the bound round to it,
    too.
    """
    return where_gt(bound, _magnitude(x), gate, zeros_like(gate) - gate)


@kernel
def _marked_tanh(gate, x, bound):
    """A tanh as it is saved for backward: ±2 if its argument x was clipped to ±bound; NaN stays."""
    mark = where_gt(x, 0.0, zeros_like(x) + 2.0, where_gt(zeros_like(x), x, -2.0, gate))
    return where_gt(bound, _magnitude(x), gate, mark)


@kernel
def _unless_marked(saved, dz):
    zero = zeros_like(dz)
    return where_gt(zero, saved, zero, dz)


@kernel
def gates_forward(z, c_prev, save, place, constants):
    """Return c_t and h_t; with `save` store i, f, g, o at `place`, marked where clipped."""
    v = lanes(z)
    bound = load(constants, _BOUND * v)
    z_i = fma(load(constants, _P_I * v), c_prev, load(z, 0))
    z_f = fma(load(constants, _P_F * v), c_prev, load(z, v))
    z_g = load(z, 2 * v)
    i = sigmoid(_clipped(z_i, bound))
    f = sigmoid(_clipped(z_f, bound))
    f = where_gt(load(constants, _COUPLED * v), 0.0, 1.0 - i, f)
    g = tanh(_clipped(z_g, bound))
    c = fma(f, c_prev, i * g)
    z_o = fma(load(constants, _P_O * v), c, load(z, 3 * v))
    o = sigmoid(_clipped(z_o, bound))
    if save:
        store(place, 0, _marked(i, z_i, bound))
        store(place, v, _marked(f, z_f, bound))
        store(place, 2 * v, _marked_tanh(g, z_g, bound))
        store(place, 3 * v, _marked(o, z_o, bound))
    return c, o * tanh(c)


@kernel
def gates_backward(z, dh, c_prev, dc, constants):
    """Overwrite the gates at z by dz; return dc_prev."""
    v = lanes(z)
    saved_i, saved_f, saved_g, saved_o = load(z, 0), load(z, v), load(z, 2 * v), load(z, 3 * v)
    i, f, o = _magnitude(saved_i), _magnitude(saved_f), _magnitude(saved_o)
    coupled = load(constants, _COUPLED * v)
    zero = zeros_like(dh)
    one = load(constants, _TANH_BOUND * v)
    g = where_gt(saved_g, 1.5, one, where_gt(zero - saved_g, 1.5, zero - one, saved_g))
    tanh_c = tanh(fma(f, c_prev, i * g))
    dz_o = _unless_marked(saved_o, dh * tanh_c * o * (1.0 - o))
    dct = fma(dh * o, 1.0 - tanh_c * tanh_c, dc)
    dct = fma(dz_o, load(constants, _P_O * v), dct)
    # In this order a gate that is saturated gives 0 for cells of any size, as in `lstm`.
    dz_f = where_gt(coupled, 0.0, zero, f * (1.0 - f) * dct * c_prev)
    dz_i = where_gt(coupled, 0.0, i * (1.0 - i) * dct * (g - c_prev), dct * g * i * (1.0 - i))
    dz_i, dz_f = _unless_marked(saved_i, dz_i), _unless_marked(saved_f, dz_f)
    dz_g = dct * i * (1.0 - g * g)
    store(z, 0, dz_i)
    store(z, v, dz_f)
    store(z, 2 * v, where_gt(_magnitude(saved_g), 1.5, zero, dz_g))
    store(z, 3 * v, dz_o)
    through = fma(dz_i, load(constants, _P_I * v), dz_f * load(constants, _P_F * v))
    return fma(dct, f, through)


@kernel
def _peephole_part(q, nt, z, c, fresh, offsets, reverse, keep, out):
    v = lanes(z)
    steps = offsets.size - 1
    panels = z.shape[0]
    mode = flush_denormals()
    for p in range(first(q, nt, panels), first(q + 1, nt, panels)):
        for j in range(p * v, (p + 1) * v):
            out[0, j] = out[1, j] = out[2, j] = 0
        for t in range(steps):
            t_next = t - 1 if reverse else t + 1
            n_next = rows_in_step(offsets, t_next)
            for r in range(rows_in_step(offsets, t)):
                row = offsets[t] + r
                after = (offsets[t_next] if r < n_next else offsets[steps]) + r
                new = c[after]
                if fresh.shape[1]:
                    new = fresh[row]
                seen = keep.size == 0 or keep[row] != 0
                for k in range(v):
                    j = p * v + k
                    prev = np.float64(c[row, j]) if seen else 0.0
                    out[0, j] += z[p, row, k] * prev
                    out[1, j] += z[p, row, v + k] * prev
                    out[2, j] += z[p, row, 3 * v + k] * np.float64(new[j])
    restore_denormals(mode)


@driver
def peephole_gradient(crew, nt, z, c, fresh, offsets, reverse, keep, out):
    """dp = Σ dz·c over the rows of all steps, in their order; see `reference.lstm_cell`::

        out = [(dz_i * c_prev).sum(0), (dz_f * c_prev).sum(0), (dz_o * c_t).sum(0)]

    Parameters
    ----------
    nt : int
        Threads.
    z : (P, ≥ N, PANEL·V)
        dz, as `backward` leaves it.
    c : (N + B, padded H)
        As `forward` saved it (`gate_state`).
    fresh : (N, padded H), or of no columns
        With zoneout of c: c_t as the gates gave it.
    offsets : (T + 1,) int64
    reverse : bool
    keep : (N,), or of no items
        As for `backward`.
    out : (3, padded H) float64, overwritten
    """
    parts(crew, nt, _peephole_part, (nt, z, c, fresh, offsets, reverse, keep, out))


_ABOUT: dict[str, Any] = {
    "x_order": [0, 1, 2, 3],
    "h_order": [0, 1, 2, 3],
    "states": 2,
    "carries": True,
    "constants": 6,
    "weights_gradient": peephole_gradient,
}
LSTM_OPTIONS = plain_cell("lstm_options", 4, gates_forward, gates_backward, **_ABOUT)
PROJECTED_LSTM_OPTIONS = projected_cell(
    "lstm_options_projected", 4, gates_forward, gates_backward, **_ABOUT
)
