"""The lists that ``get_weights()`` of Keras's LSTM, GRU and SimpleRNN gives, of Keras 2 and 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...checks import flag
from .._gates import KERAS, Gates, gates_of, real, reorder
from ._direction import Direction, directions_of, named, suffix_of

__all__ = ["from_keras", "to_keras"]


def from_keras(
    arrays: Sequence[Any], *, layer: int = 0, bidirectional: bool = False
) -> dict[str, np.ndarray]:
    """Give the arrays of one Keras layer our names, order of gates and layout.

    Parameters
    ----------
    arrays : sequence of array_like
        ``layer.get_weights()``: a kernel (I, G·H), a recurrent kernel (H, G·H) and, with
        ``use_bias``, a bias; those of ``Bidirectional`` twice, the forward direction first. The
        cell is told by G = 4 (LSTM), 3 (GRU) or 1 (SimpleRNN). A GRU's bias is (2, 3·H) with
        ``reset_after=True``, Keras's default, and else (3·H,).
    layer : int
        The number of the layer in the stack.
    bidirectional : bool
        Whether the list is that of a ``Bidirectional``.

    Returns
    -------
    dict of str to numpy.ndarray
        A state dict. Of Keras's single bias bias_ih has the values and bias_hh zeros. A layer with
        ``go_backwards`` reads the sequence from its end: give it ``x[::-1]``. A GRU with
        ``reset_after=False`` is `nn.GRU` with the same argument.

    Raises
    ------
    TypeError, ValueError
        If there are not as many arrays as these, naming one of another shape: ``arrays[1]``.

    See Also
    --------
    to_module : Makes the module of a state dict.

    Notes
    -----
    Keras's inputs are (B, T, I): ``batch_first=True``. Its LSTM and GRU have the equations of
    `nn.LSTM` and `nn.GRU` with their defaults; other activations than tanh and sigmoid have not.
    Masked steps keep the state: ``lengths=`` does that for masks at the end of sequences.
    """
    arrays = list(arrays)
    count = 2 if flag("bidirectional", bidirectional) else 1
    each, rest = divmod(len(arrays), count)
    if rest or each not in (2, 3):
        hint = "; a Bidirectional's list wants bidirectional=True" if len(arrays) in (4, 6) else ""
        raise ValueError(f"arrays: expected {2 * count} or {3 * count}, got {len(arrays)}{hint}")
    found: dict[str, np.ndarray] = {}
    for at in range(count):
        names = [f"arrays[{number}]" for number in range(at * each, (at + 1) * each)]
        one = _read(names, arrays[at * each : (at + 1) * each])
        found |= named(one, suffix_of(layer, at == 1))
    return found


def _read(names: list[str], arrays: list[Any]) -> Direction:
    u = real(names[1], arrays[1], ("H", "G·H"))
    hidden, rows = u.shape
    gates = gates_of(names[1], rows, hidden)
    w = real(names[0], arrays[0], ("I", rows))
    order = KERAS[gates.number], gates.ours
    biases: Sequence[np.ndarray | None] = (None, None)
    if len(arrays) == 3:
        biases = [reorder(one, *order) for one in _biases(names[2], arrays[2], gates)]
    return Direction(reorder(w.T, *order), reorder(u.T, *order), *biases)


def _biases(name: str, value: Any, gates: Gates) -> tuple[np.ndarray, np.ndarray]:
    """Both biases: the second one is zero where Keras has a single one."""
    rows = gates.number * gates.hidden
    if gates.number == 3 and np.ndim(value) == 2:
        b, d = real(name, value, (2, rows))
        return b, d
    b = real(name, value, (rows,))
    return b, np.zeros_like(b)


def to_keras(
    state_dict: Mapping[str, Any],
    *,
    reset_after: bool = True,
    layer: int = 0,
    prefix: str = "",
) -> list[np.ndarray]:
    """Give one layer as the list that Keras's ``set_weights`` takes.

    Parameters
    ----------
    state_dict : mapping of str to array_like
    reset_after : bool
        Of a GRU: which form it has, here and in Keras. It decides the shape of the bias.
    layer : int
        Which layer.
    prefix : str
        What stands before its names, as `Module.load_state_dict` takes it.

    Returns
    -------
    list of numpy.ndarray
        Kernel, recurrent kernel and bias, of two directions one after the other, as
        ``Bidirectional`` has them. Where Keras has a single bias it is the sum of both, rounded to
        the dtype; our kernels use the same sum.

    Raises
    ------
    TypeError, ValueError
        Naming what is missing or does not fit; peepholes, a projection and layer normalisation have
        no place in Keras's layers.
    """
    flag("reset_after", reset_after)
    found = []
    for one in directions_of(state_dict, layer, prefix):
        if one.p is not None:
            raise ValueError("state_dict: expected no peepholes, which Keras's LSTM does not have")
        count = one.gates.number
        order = one.gates.ours, KERAS[count]
        found += [np.ascontiguousarray(reorder(a, *order).T) for a in (one.w, one.u)]
        if one.b is None or one.d is None or one.bias is None:
            continue
        if count == 3 and reset_after:
            found.append(np.stack([reorder(one.b, *order), reorder(one.d, *order)]))
        else:
            found.append(reorder(one.bias, *order))
    return found
