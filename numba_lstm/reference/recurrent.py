"""One direction of one layer over time, for any cell: the loop that all cells share.

For row b of the batch and each step t that the row has, in the direction's order::

    s'  = 0 where a reset stands before the step, else s            (1)
    s~  = cell(x_t ∘ m_x, s'[0] ∘ m_h, s'; W_hh ∘ m_W)              (2)
    s   = k_t ∘ s' + (1 - k_t) ∘ s~                                 (3)
    y_t = s                                                         (4)

s is the cell's tuple of states, h first. A step that the row does not have (t ≥ length) leaves s
alone, and y_t is 0. So a reverse direction, which goes from T - 1 down, starts at the row's last
real step by itself, and a row of length 0 hands its initial states on.

A reset at t stands between t - 1 and t, in either direction: nothing crosses from one side to the
other, so that documents packed into one row see only themselves. Going forward that is before step
t; in reverse it is before step t - 1. One at t = 0 cuts the initial state of a forward direction,
and there is nothing that it could cut in reverse. Resets in the padding mean nothing.

Masks m: variational dropout (Gal & Ghahramani, 2016) on the input and on the state within the
products, DropConnect on W_hh (Wan et al., 2013; Merity et al., 2018). k: zoneout (Krueger et al.,
2017). The backward function quotes these numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

__all__ = [
    "Cell",
    "Dropout",
    "RecurrentGradients",
    "RecurrentSaved",
    "recurrent_backward",
    "recurrent_forward",
]

Array = np.ndarray
States = tuple[Array, ...]


class Cell(Protocol):
    """What a cell contributes: one step forward, and one back (`LSTMCell` has the contract)."""

    def forward(
        self, p: Mapping[str, Array], x: Array, h_in: Array, state: States
    ) -> tuple[States, Any]: ...

    def backward(
        self, p: Mapping[str, Array], saved: Any, dstate: States, dp: Mapping[str, Array]
    ) -> tuple[Array, Array, States]: ...


class Dropout(NamedTuple):
    """The fixed masks of one direction of one layer, scaled already; None means no dropout.

    Zoneout's are how much of the old state is kept: 0 or 1 for each element in training, the
    probability itself in evaluation (the expectation).
    """

    inputs: Array | None = None  # (B, I), m_x
    state: Array | None = None  # (B, width of h), m_h
    weight_hh: Array | None = None  # weight_hh's shape, m_W
    zoneout: Sequence[Array | float | None] = ()  # a k for each state: (T, B, its width), or number


class RecurrentSaved(NamedTuple):
    """What a direction keeps for its backward pass."""

    cell: Cell
    parameters: Mapping[str, Array]  # W_hh with its mask
    dropout: Dropout
    order: Sequence[int]  # of the steps
    live: Array  # (T, B, 1) bool, the steps that rows have
    cut: Array  # (T, B, 1) bool, a reset stands before the step in this direction's order
    steps: list[Any]  # what the cell kept, by t
    x_shape: tuple[int, ...]
    state_shapes: list[tuple[int, ...]]


class RecurrentGradients(NamedTuple):
    """Gradients of one direction of one layer."""

    dx: Array  # (T, B, I)
    dinitial: States
    parameters: dict[str, Array]


def recurrent_forward(
    cell: Cell,
    parameters: Mapping[str, Array],
    x: Array,
    initial: Sequence[Array],
    *,
    lengths: Sequence[int] | Array | None = None,
    reset: Array | None = None,
    reverse: bool = False,
    dropout: Dropout | None = None,
) -> tuple[States, States, RecurrentSaved]:
    """Run one direction of one layer.

    Parameters
    ----------
    cell : Cell
    parameters : mapping of str to array
        The cell's, by its names: ``weight_ih``, ``weight_hh``, …
    x : array, shape (T, B, I)
    initial : the cell's states, each of shape (B, its width)
    lengths : integers, shape (B,), each 0 to T, in any order; or None for T
    reset : array of bool, shape (T, B), or None
    reverse : bool
        From each row's last step to its first.
    dropout : Dropout, or None

    Returns
    -------
    outputs : for each of the cell's states, its values (T, B, width), zero past the lengths
        y is the first; an LSTM's second is its cell states.
    finals : for each of the cell's states, its last value (B, width)
    saved : RecurrentSaved
    """
    dropout = dropout or Dropout()
    order = range(len(x))[:: -1 if reverse else 1]
    live, cut = _steps(x.shape, lengths, reset, reverse)
    p = dict(parameters)
    if dropout.weight_hh is not None:
        p["weight_hh"] = p["weight_hh"] * dropout.weight_hh
    dtype = np.result_type(x, *initial, *p.values(), np.float64)
    state = tuple(np.asarray(s, dtype) for s in initial)
    outputs = tuple(np.empty((len(x), *s.shape), dtype) for s in state)
    steps: list[Any] = [None] * len(x)
    for t in order:
        before = tuple(np.where(cut[t], 0.0, s) for s in state)  # (1)
        x_t = _times(np.where(live[t], x[t], 0.0), dropout.inputs)  # padding may hold anything
        h_in = _times(before[0], dropout.state)
        after, steps[t] = cell.forward(p, x_t, h_in, before)  # (2)
        kept = [_kept(dropout, k, t) for k in range(len(state))]
        after = tuple(k * old + (1 - k) * new for k, old, new in zip(kept, before, after))  # (3)
        state = tuple(np.where(live[t], new, old) for new, old in zip(after, state))
        for output, s in zip(outputs, state):
            output[t] = np.where(live[t], s, 0.0)  # (4)
    finals = tuple(s.copy() for s in state)
    shapes = [s.shape for s in state]
    saved = RecurrentSaved(cell, p, dropout, order, live, cut, steps, x.shape, shapes)
    return outputs, finals, saved


def recurrent_backward(
    saved: RecurrentSaved,
    doutputs: Sequence[Array | None],
    dfinals: Sequence[Array | float | None] = (),
) -> RecurrentGradients:
    """Go back through time over what `recurrent_forward` saved.

    Parameters
    ----------
    saved : RecurrentSaved
    doutputs, dfinals
        Cotangents of `outputs` and `finals`. None, or a sequence that ends before, means zero.

    Returns
    -------
    RecurrentGradients
        The two biases' gradients are equal where they stand in a sum side by side.
    """
    cell, p, dropout, order, live, cut, steps, x_shape, state_shapes = saved
    dp = {name: np.zeros(value.shape) for name, value in p.items()}
    dx = np.zeros(x_shape)
    dstate = [np.zeros(shape) for shape in state_shapes]
    for k, dfinal in enumerate(dfinals):
        dstate[k] = dstate[k] + (0.0 if dfinal is None else dfinal)
    for t in reversed(order):
        passed = [np.where(live[t], 0.0, d) for d in dstate]  # a step that is not there
        for k, doutput in enumerate(doutputs):
            dstate[k] = dstate[k] + (0.0 if doutput is None else doutput[t])  # (4)
        dafter = [np.where(live[t], d, 0.0) for d in dstate]
        kept = [_kept(dropout, k, t) for k in range(len(dafter))]
        dnew = tuple((1 - k) * d for k, d in zip(kept, dafter))  # from (3)
        dx_t, dh_in, dpast = cell.backward(p, steps[t], dnew, dp)  # from (2)
        dx[t] = _times(dx_t, dropout.inputs)  # from (2)
        dbefore = [d + k * old for d, k, old in zip(dpast, kept, dafter)]  # from (2), (3)
        dbefore[0] = dbefore[0] + _times(dh_in, dropout.state)  # from (2)
        dstate = [np.where(cut[t], 0.0, d) + q for d, q in zip(dbefore, passed)]  # from (1)
    if dropout.weight_hh is not None:
        dp["weight_hh"] *= dropout.weight_hh  # from (2)
    return RecurrentGradients(dx, tuple(dstate), dp)


def _steps(
    shape: tuple[int, ...],
    lengths: Sequence[int] | Array | None,
    reset: Array | None,
    reverse: bool,
) -> tuple[Array, Array]:
    """Return which steps rows have, and before which the state is cut, each (T, B, 1) bool."""
    count, batch = shape[:2]
    ends = np.full(batch, count) if lengths is None else np.asarray(lengths)
    live = np.arange(count)[:, None] < ends
    cut = np.zeros((count, batch), bool)
    if reset is not None:
        real = np.asarray(reset, bool) & live
        if reverse:
            cut[:-1] = real[1:]  # what stands between t and t + 1 comes before step t
        else:
            cut = real
    return live[..., None], cut[..., None]


def _times(value: Array, mask: Array | None) -> Array:
    return value if mask is None else value * mask


def _kept(dropout: Dropout, state: int, t: int) -> Array | float:
    """How much of a state zoneout keeps at step t."""
    k = dropout.zoneout[state] if state < len(dropout.zoneout) else None
    if k is None:
        return 0.0
    return k[t] if isinstance(k, np.ndarray) and k.ndim else float(k)
