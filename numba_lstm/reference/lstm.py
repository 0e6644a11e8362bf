"""The plain LSTM, as torch's, by position and by torch's names: `LSTMCell` without its options.

One step, for a row of the batch, with ``z`` split into four parts in the order i, f, g, o::

    z = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh                        (1)
    i = σ(z_i)    f = σ(z_f)    g = tanh(z_g)    o = σ(z_o)         (2)
    c = f ∘ c_prev + i ∘ g                                          (3)
    h = o ∘ tanh(c)                                                 (4)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .activations import sigmoid
from .lstm_cell import GatesSaved, LSTMCell
from .recurrent import RecurrentSaved, recurrent_backward, recurrent_forward
from .stack import StackSaved, stack_backward, stack_forward

__all__ = [
    "LayerGradients",
    "LayerSaved",
    "StackGradients",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "lstm_stack_backward",
    "lstm_stack_forward",
    "sigmoid",
]

Array = np.ndarray
CELL = LSTMCell()


class LayerSaved(NamedTuple):
    """What one direction of one layer keeps, and the kernels with it."""

    h: Array  # (T+1, B, H), slot 0 is h0
    c: Array  # (T+1, B, H), slot 0 is c0
    gates: Array  # (T, B, 4H), post-activation, in the order i, f, g, o
    w_hh: Array  # (4H, H)
    run: RecurrentSaved


class LayerGradients(NamedTuple):
    """Gradients of one direction of one layer, each of its argument's shape."""

    dx: Array
    dh0: Array
    dc0: Array
    dw_ih: Array
    dw_hh: Array
    db_ih: Array | None
    db_hh: Array | None


class StackGradients(NamedTuple):
    """Gradients of a stack; `parameters` holds them by torch's names."""

    dx: Array
    dh0: Array
    dc0: Array
    parameters: dict[str, Array]


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
    p = _named(w_ih, w_hh, b_ih, b_hh)
    (h, c), saved = CELL.forward(p, x, h_prev, (h_prev, c_prev))
    return h, c, saved.gates.gates


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
    saved = GatesSaved(gates, c_prev, c, np.tanh(c), np.ones(gates.shape, bool), None)
    return CELL.gates_backward({}, saved, dh, dc, {})


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
    p = _named(w_ih, w_hh, b_ih, b_hh)
    (y, cells), (hn, cn), run = recurrent_forward(CELL, p, x, (h0, c0))
    gates = np.stack([step.gates.gates for step in run.steps])
    h, c = np.concatenate([[h0], y]), np.concatenate([[c0], cells])
    return y, hn, cn, LayerSaved(h, c, gates, w_hh, run)


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
    dx, (dh0, dc0), dp = recurrent_backward(saved.run, [dy], [dhn, dcn])
    biases = dp.get("bias_ih"), dp.get("bias_hh")
    return LayerGradients(dx, dh0, dc0, dp["weight_ih"], dp["weight_hh"], *biases)


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
    output, saved = stack_forward(CELL, parameters, x, (h0, c0), between=masks)
    return output.y, np.stack(output.finals[0]), np.stack(output.finals[1]), saved


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
    dx, (dh0, dc0), gradients = stack_backward(saved, dy, [dhn, dcn])
    return StackGradients(dx, np.stack(dh0), np.stack(dc0), gradients)


def _named(w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None) -> dict[str, Array]:
    given = {"weight_ih": w_ih, "weight_hh": w_hh, "bias_ih": b_ih, "bias_hh": b_hh}
    return {name: value for name, value in given.items() if value is not None}
