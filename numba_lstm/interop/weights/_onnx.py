"""The arrays of ONNX's operators LSTM, GRU and RNN: W, R, B and P."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._gates import (
    ONNX,
    ONNX_PEEPHOLES,
    OUR_PEEPHOLES,
    OURS,
    gates_of,
    onnx_shapes,
    real,
    reorder,
)
from ._direction import Direction, directions_of, named, suffix_of

__all__ = ["from_onnx", "to_onnx"]


def from_onnx(
    W: Any, R: Any, B: Any = None, P: Any = None, *, layer: int = 0
) -> dict[str, np.ndarray]:
    """Give the arrays of one ONNX node our names and order of gates.

    Parameters
    ----------
    W : array_like, (D, G·H, I)
        Gates in the order i, o, f, c (LSTM) or z, r, h (GRU). The cell is told by G = 4, 3 or 1.
    R : array_like, (D, G·H, H)
    B : array_like, (D, 2·G·H), optional
        The biases of W, then those of R.
    P : array_like, (D, 3·H), optional
        Of an LSTM: peepholes i, o, f.
    layer : int
        The number of the layer in the stack.

    Returns
    -------
    dict of str to numpy.ndarray
        A state dict; with D = 2 of both directions. Of a node whose direction is ``reverse`` it is
        a forward layer's, which reads the sequence from its end. A GRU with
        ``linear_before_reset = 0``, ONNX's default, is `nn.GRU` with ``reset_after=False``.

    Raises
    ------
    TypeError, ValueError
        Naming the array that does not fit.
    """
    r = real("R", R, ("D", "G·H", "H"))
    count, rows, hidden = r.shape
    if count not in (1, 2):
        raise ValueError(f"R: expected 1 or 2 directions, got {count}")
    gates = gates_of("R", rows, hidden)
    shapes = onnx_shapes(count, gates)
    w = real("W", W, shapes["W"])
    b = None if B is None else real("B", B, shapes["B"]).reshape(count, 2, rows)
    if P is not None and gates.number != 4:
        raise ValueError("P: expected None where the cell is no LSTM, got an array")
    p = None if P is None else real("P", P, shapes["P"])
    order = ONNX[gates.number], gates.ours
    found: dict[str, np.ndarray] = {}
    for at in range(count):
        one = Direction(reorder(w[at], *order), reorder(r[at], *order))
        if b is not None:
            one = one._replace(b=reorder(b[at, 0], *order), d=reorder(b[at, 1], *order))
        if p is not None:
            one = one._replace(p=reorder(p[at], ONNX_PEEPHOLES, OUR_PEEPHOLES))
        found |= named(one, suffix_of(layer, at == 1))
    return found


def to_onnx(
    state_dict: Mapping[str, Any], *, layer: int = 0, prefix: str = ""
) -> dict[str, np.ndarray]:
    """Give one layer as the arrays of an ONNX node.

    Parameters
    ----------
    state_dict : mapping of str to array_like
    layer : int
        Which layer.
    prefix : str
        What stands before its names, as `Module.load_state_dict` takes it.

    Returns
    -------
    dict of str to numpy.ndarray
        W (D, G·H, I) and R (D, G·H, H); B (D, 2·G·H) and P (D, 3·H) where the layer has them.

    Raises
    ------
    TypeError, ValueError
        Naming what is missing or does not fit; a projection and layer normalisation have no place
        in ONNX's operators.
    """
    parts = directions_of(state_dict, layer, prefix)
    found: dict[str, list[np.ndarray]] = {"W": [], "R": [], "B": [], "P": []}
    for one in parts:
        order = OURS[one.gates.number], ONNX[one.gates.number]
        found["W"].append(reorder(one.w, *order))
        found["R"].append(reorder(one.u, *order))
        if one.b is not None and one.d is not None:
            found["B"].append(np.concatenate([reorder(one.b, *order), reorder(one.d, *order)]))
        if one.p is not None:
            found["P"].append(reorder(one.p, OUR_PEEPHOLES, ONNX_PEEPHOLES))
    return {name: np.stack(arrays) for name, arrays in found.items() if arrays}
