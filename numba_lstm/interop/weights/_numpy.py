"""The matrices of NumPy code: any order of gates, one bias or two, [x, h] together or apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...checks import choice, flag, real_array
from ...nn.state_dicts import under_prefix
from .._gates import OURS, letters, reorder, vector
from ._direction import Direction, named, read

__all__ = ["from_numpy", "to_numpy"]

_STACKED = ("xh", "hx")


def from_numpy(
    gates: str,
    W: Any,
    U: Any = None,
    b: Any = None,
    d: Any = None,
    *,
    peepholes: Any = None,
    stacked: str | None = None,
    transposed: bool | None = None,
    update: str = "keep",
    suffix: str = "_l0",
) -> dict[str, np.ndarray]:
    """Give the matrices of NumPy code our names, order of gates and layout.

    Parameters
    ----------
    gates : str
        A letter for each block of H rows (or columns), in the order of the blocks: ``"ifog"``,
        ``"fico"`` (LSTM), ``"zrh"`` (GRU), ``"h"`` (RNN). The candidate may be called g, c, j or a,
        that of a GRU n, h or c, and its update gate z or u. In a dictionary in place of an array
        the keys are these letters.
    W : array_like, (G·H, I) or (I, G·H), or dict of str to array_like
        What is multiplied by x: one matrix, or for each letter one of (H, I) or (I, H). With
        `stacked` what is multiplied by x and h.
    U : array_like, (G·H, H) or (H, G·H), or dict
        What is multiplied by h. None with `stacked`.
    b : array_like, (G·H,), or dict, optional
        The bias; a row or a column will do. What the code adds to a gate besides, such as
        TensorFlow 1's ``forget_bias`` of 1, has to be added to it.
    d : array_like, (G·H,), or dict, optional
        A second bias, added to the product with h. In a GRU whose reset gate comes after the
        product it makes a difference in which of the two a value stands.
    peepholes : dict of str to array_like, (H,) each, optional
        Of an LSTM, by i, f and o; a gate that is not there has none.
    stacked : {"xh", "hx"}, optional
        W is one matrix for x and h behind each other, (G·H, I + H) or (I + H, G·H), in this order.
    transposed : bool, optional
        Whether gates stand in columns, as in ``x @ W``. Found from the shapes where it is not given
        and they fit in one way only.
    update : {"keep", "replace"}
        Of a GRU, what its update gate z weighs: the state before (h' = z h + (1 - z) n, as in
        torch, Keras and ONNX) or the candidate (h' = (1 - z) h + z n). With "replace" the rows of z
        change their sign, which is exact.
    suffix : str
        The end of the names: ``"_l0"``, ``"_l1_reverse"``, or ``""`` for a cell.

    Returns
    -------
    dict of str to numpy.ndarray
        A state dict. Where there is one bias the other one is zeros; where there is none there are
        no biases.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: no order of gates, or a shape that does not fit; naming `transposed`
        where the shapes fit both ways.

    Examples
    --------
    One matrix for [h, x] and one bias, in columns, with gates i, f, o and the candidate g:

    >>> state = from_numpy("ifog", np.ones((5 + 3, 4 * 5)), b=np.zeros((1, 20)), stacked="hx")
    >>> {name: array.shape for name, array in state.items()}
    {'weight_ih_l0': (20, 3), 'weight_hh_l0': (20, 5), 'bias_ih_l0': (20,), 'bias_hh_l0': (20,)}
    """
    order = letters(gates)
    ours = OURS[len(order)]
    _check_suffix(suffix)
    if stacked is not None:
        choice("stacked", stacked, _STACKED)
    if (U is None) == (stacked is None):
        raise ValueError("U: expected None with stacked, which W holds, and else a matrix")
    replace = choice("update", update, ("keep", "replace")) == "replace"
    if replace and len(order) != 3:
        raise ValueError("update: expected 'keep' where the cell is no GRU, got 'replace'")
    w, u = _matrices(gates, W, U, stacked, transposed, (b, d))
    rows, hidden = u.shape
    biases = [_bias(name, value, gates, rows) for name, value in (("b", b), ("d", d))]
    if any(one is not None for one in biases):
        biases = [np.zeros(rows, w.dtype) if one is None else one for one in biases]

    def ordered(array: np.ndarray) -> np.ndarray:
        array = reorder(array, order, ours)
        if replace:
            np.negative(array[hidden : 2 * hidden], out=array[hidden : 2 * hidden])
        return array

    first, second = (None if one is None else ordered(one) for one in biases)
    peephole = _peepholes(peepholes, order, hidden)
    return named(Direction(ordered(w), ordered(u), first, second, peephole), suffix)


def _matrices(
    gates: str, W: Any, U: Any, stacked: str | None, transposed: Any, biases: tuple[Any, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """W (G·H, I) and U (G·H, H) in the given order of gates, whichever way they lay."""
    ways = (False, True) if transposed is None else (flag("transposed", transposed),)
    found, failures = [], []
    for way in ways:
        try:
            w, u = _one_way(gates, W, U, stacked, way)
            for name, value in zip("bd", biases, strict=True):
                _bias(name, value, gates, u.shape[0])
            found.append((w, u))
        except ValueError as error:
            failures.append(str(error))
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError("transposed: expected True or False, as shapes fit both ways, got None")
    same = len(set(failures)) == 1
    if len(ways) == 1 or same:
        raise ValueError(failures[0])
    raise ValueError(f"{failures[0]}; or, if gates stand in columns, {failures[1]}")


def _one_way(
    gates: str, W: Any, U: Any, stacked: str | None, transposed: bool
) -> tuple[np.ndarray, np.ndarray]:
    w = _matrix("W", W, gates, transposed)
    rows, columns = w.shape
    hidden = rows // len(gates)
    if rows % len(gates) or not hidden:
        raise ValueError(f"W: expected rows that divide into {len(gates)} gates, got {rows}")
    if stacked is None:
        u = _matrix("U", U, gates, transposed)
        if u.shape != (rows, hidden):
            raise ValueError(f"U: expected shape ({rows}, {hidden}), got {u.shape}")
        return w, u
    if columns <= hidden:
        raise ValueError(f"W: expected more than {hidden} columns, those of h, got {columns}")
    if stacked == "xh":
        return w[:, : columns - hidden], w[:, columns - hidden :]
    return w[:, hidden:], w[:, :hidden]


def _matrix(name: str, value: Any, gates: str, transposed: bool) -> np.ndarray:
    """The matrix with gates in its rows, from one array or from one for each letter."""
    blocks = _blocks(name, value, gates)
    for one in blocks:
        if one.ndim != 2:
            raise ValueError(f"{name}: expected 2 dimensions, got {one.ndim} (shape {one.shape})")
        if one.shape != blocks[0].shape:
            raise ValueError(f"{name}: expected one shape, got {blocks[0].shape} and {one.shape}")
    return np.concatenate([one.T if transposed else one for one in blocks])


def _bias(name: str, value: Any, gates: str, rows: int) -> np.ndarray | None:
    if value is None:
        return None
    blocks = _blocks(name, value, gates)
    return np.concatenate([vector(name, one, rows // len(blocks)) for one in blocks])


def _blocks(name: str, value: Any, gates: str) -> list[np.ndarray]:
    """The one array, or those of a dictionary in the order of the gates."""
    if not isinstance(value, Mapping):
        return [real_array(name, value)]
    if sorted(value) != sorted(gates):
        raise ValueError(f"{name}: expected an array for each of {gates!r}, got {sorted(value)}")
    return [real_array(f"{name}[{gate!r}]", value[gate]) for gate in gates]


def _peepholes(value: Any, order: str, hidden: int) -> np.ndarray | None:
    if value is None:
        return None
    if len(order) != 4:
        raise ValueError("peepholes: expected None where the cell is no LSTM, got some")
    if not isinstance(value, Mapping) or not set(value) <= set("ifo"):
        raise ValueError("peepholes: expected a dictionary of arrays by 'i', 'f' and 'o'")
    given = {gate: vector(f"peepholes[{gate!r}]", one, hidden) for gate, one in value.items()}
    dtype = np.result_type(*given.values()) if given else np.dtype(np.float32)
    return np.concatenate([given.get(gate, np.zeros(hidden, dtype)) for gate in "ifo"])


def to_numpy(
    state_dict: Mapping[str, Any],
    gates: str,
    *,
    stacked: str | None = None,
    transposed: bool = False,
    one_bias: bool = False,
    suffix: str = "_l0",
    prefix: str = "",
) -> dict[str, np.ndarray]:
    """Give one direction of one layer as the matrices of NumPy code.

    Parameters
    ----------
    state_dict : mapping of str to array_like
    gates : str
        The order that is wanted, as `from_numpy` takes it.
    stacked : {"xh", "hx"}, optional
        Whether W is to be one matrix for x and h.
    transposed : bool
        Whether gates are to stand in columns.
    one_bias : bool
        Whether b is to be the sum of both biases, rounded to the dtype. A GRU whose reset gate
        comes after the product needs two.
    suffix : str
        Which direction: ``"_l0"``, ``"_l1_reverse"``, or ``""`` of a cell.
    prefix : str
        What stands before its names, as `Module.load_state_dict` takes it.

    Returns
    -------
    dict of str to numpy.ndarray
        W and U, or W alone where it is stacked; b and d, or b alone; p (3·H,), the peepholes i, f
        and o of a layer that has some.

    Raises
    ------
    TypeError, ValueError
        Naming what is missing or does not fit.
    """
    order = letters(gates)
    if stacked is not None:
        choice("stacked", stacked, _STACKED)
    _check_suffix(suffix)
    one = read(under_prefix(state_dict, prefix), suffix)
    if len(order) != one.gates.number:
        raise ValueError(f"gates: expected an order of {one.gates.ours!r}, got {gates!r}")
    w, u = (reorder(array, one.gates.ours, order) for array in (one.w, one.u))
    matrices = {"W": w, "U": u}
    if stacked is not None:
        matrices = {"W": np.concatenate([w, u] if stacked == "xh" else [u, w], axis=1)}
    if flag("transposed", transposed):
        matrices = {name: np.ascontiguousarray(array.T) for name, array in matrices.items()}
    biases = {"b": one.bias} if flag("one_bias", one_bias) else {"b": one.b, "d": one.d}
    ordered = {
        name: reorder(array, one.gates.ours, order)
        for name, array in biases.items()
        if array is not None
    }
    return matrices | ordered | ({} if one.p is None else {"p": one.p.copy()})


def _check_suffix(suffix: Any) -> None:
    if not isinstance(suffix, str) or not re.fullmatch(r"(_l\d+(_reverse)?)?", suffix):
        raise ValueError(f"suffix: expected '_l0', '_l1_reverse' or such, or '', got {suffix!r}")
