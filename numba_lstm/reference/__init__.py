"""Slow, plain NumPy: the oracle that every kernel is compared with.

Each function is the equation, written down once forward and once backward, in float64. Nothing
here imports the rest of the package, so no mistake is shared with it. The forward functions are
analytic (no abs, no comparison of what is differentiated; where an equation has a corner, it
branches on the real part) and accept complex arrays, so that their derivative can be had by a
complex step, to the last digit: Im f(x + ih) / h with h = 1e-30.

The recurrent family: a cell is one step (`lstm_cell`, `gru_cell`, `rnn_cell`), `recurrent` the
loop over time with lengths, resets and dropouts, `stack` layers and directions; `lstm` is the
plain LSTM by position.
"""

from . import (
    ctc,
    embedding,
    gru_cell,
    linear,
    losses,
    lstm,
    lstm_cell,
    optim,
    recurrent,
    rnn_cell,
    stack,
)

__all__ = [
    "ctc",
    "embedding",
    "gru_cell",
    "linear",
    "losses",
    "lstm",
    "lstm_cell",
    "optim",
    "recurrent",
    "rnn_cell",
    "stack",
]
