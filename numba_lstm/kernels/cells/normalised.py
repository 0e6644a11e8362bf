"""Layer-normalised cells: an LSTM and a GRU (Ba, Kiros & Hinton, 2016, equations 20 to 28).

The LSTM's products are normalised over all four gates. c_t is that of `lstm`, and then
h_t = o ∘ tanh(LN(c_t) + b_c). So the gates return c and o, and backward they get dc and do:

    dz_o = do·o·(1 - o)
    di   = dc·g            dg = dc·i            df = dc·c_prev            dc_prev = dc·f

The GRU normalises r and z together and n apart. Its gates are those of `gru`. The plain lines are
in `reference.product`, `reference.lstm_cell` and `reference.gru_cell`.
"""

from __future__ import annotations

from ...jit import kernel
from ...simd import lanes, load, store
from ..loops.cell import normalised_cell
from ..loops.normalised import Groups
from . import gru, lstm


@kernel
def gates_backward(z, do, c_prev, dc):
    """Overwrite the gates at z by dz; return dc_prev."""
    v = lanes(z)
    i, f, g, o = load(z, 0), load(z, v), load(z, 2 * v), load(z, 3 * v)
    store(z, 0, dc * g * i * (1.0 - i))
    store(z, v, f * (1.0 - f) * dc * c_prev)
    store(z, 2 * v, dc * i * (1.0 - g * g))
    store(z, 3 * v, do * o * (1.0 - o))
    return dc * f


NORMALISED_LSTM = normalised_cell(
    "lstm_normalised", 4, lstm.open_gates, gates_backward, Groups(((0, 4),), ((0, 4),)),
    x_order=[0, 1, 2, 3], h_order=[0, 1, 2, 3], states=2, carries=True,
)  # fmt: skip
NORMALISED_GRU = normalised_cell(
    "gru_normalised", 3, gru.gates_forward, gru.gates_backward,
    Groups(((0, 1), (1, 2)), ((1, 2), (3, 1))),
    x_order=[2, 0, 1, -1], h_order=[-1, 0, 1, 2], carries=True,
)  # fmt: skip
