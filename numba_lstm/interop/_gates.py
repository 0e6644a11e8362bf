"""The order of gates: rows of weights in blocks of H, one a gate, and how to put them in another.

Orders are strings of a letter for each block, in our letters: ``ifgo`` of an LSTM, ``rzn`` of a
GRU, ``h`` of a plain RNN. Every order that a program of a known name has stands here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..checks import real_array
from ..nn import GRU, LSTM, RNN

__all__ = [
    "CELLS",
    "KERAS",
    "ONNX",
    "ONNX_PEEPHOLES",
    "OURS",
    "OUR_PEEPHOLES",
    "Gates",
    "check_shape",
    "gates_of",
    "letters",
    "onnx_shapes",
    "real",
    "reorder",
    "vector",
]

# By the number of blocks: the class, which ONNX's operator is called like, and each one's order.
CELLS: dict[int, Any] = {4: LSTM, 3: GRU, 1: RNN}
OURS = {4: "ifgo", 3: "rzn", 1: "h"}
KERAS = {4: "ifgo", 3: "zrn", 1: "h"}  # it writes c and h for g and n
ONNX = {4: "iofg", 3: "zrn", 1: "h"}  # it writes c and h for g and n
OUR_PEEPHOLES, ONNX_PEEPHOLES = "ifo", "iof"

# What others call the gates that we call g, z and n. "h" of an RNN may have any letter.
_CALLED = {
    4: {"g": "gcjaz", "i": "iu", "f": "f", "o": "o"},
    3: {"n": "nhcg", "z": "zu", "r": "r"},
}


class Gates(NamedTuple):
    """How many there are, and how wide each is."""

    number: int
    hidden: int

    @property
    def ours(self) -> str:
        """Our order."""
        return OURS[self.number]


def letters(gates: Any) -> str:
    """Check an order of gates and put it in our letters.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it is no order of an LSTM's, a GRU's or an RNN's gates.
    """
    if not isinstance(gates, str):
        raise TypeError(f"gates: expected text such as 'ifgo', got {type(gates).__name__}")
    if len(gates) == 1:
        return OURS[1]
    called = _CALLED.get(len(gates), {})
    found = ""
    for letter in gates.lower():
        found += next((ours for ours, others in called.items() if letter in others), "?")
    if not called or sorted(found) != sorted(called):
        raise ValueError(
            "gates: expected a letter for each block of rows, an order of 'ifgo' (LSTM; g may be "
            f"c, j or a), of 'rzn' (GRU; z may be u, n may be h or c) or 'h' (RNN), got {gates!r}"
        )
    return found


def gates_of(name: str, rows: int, hidden: int) -> Gates:
    """Tell a cell by how many blocks of `hidden` rows there are.

    Raises
    ------
    ValueError
        Naming the array.
    """
    count, rest = divmod(rows, hidden) if hidden else (0, 1)
    if rest or count not in OURS:
        raise ValueError(
            f"{name}: expected 4 (LSTM), 3 (GRU) or 1 (RNN) times {hidden} units, got {rows}"
        )
    return Gates(count, hidden)


def reorder(array: np.ndarray, given: str, wanted: str) -> np.ndarray:
    """Put the blocks of the first axis in another order; a new array, C-contiguous."""
    blocks = array.reshape(len(given), -1, *array.shape[1:])
    ordered = blocks[[given.index(gate) for gate in wanted]]
    return np.ascontiguousarray(ordered.reshape(array.shape))


def real(name: str, value: Any, shape: tuple[int | str, ...]) -> np.ndarray:
    """An array of real numbers of this shape; see `check_shape`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    array = real_array(name, value)
    check_shape(name, array, shape)
    return array


def check_shape(name: str, array: np.ndarray, shape: tuple[int | str, ...]) -> None:
    """Refuse an array of another shape, of which words stand for any length from 1 on.

    Raises
    ------
    ValueError
        Naming the array.
    """
    if array.ndim != len(shape) or any(
        got == 0 if isinstance(want, str) else got != want for got, want in zip(array.shape, shape)
    ):
        words = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name}: expected shape ({words}), got {array.shape}")


def onnx_shapes(directions: int, gates: Gates) -> dict[str, tuple[int | str, ...]]:
    """Give the shapes of an ONNX node's weights by their names."""
    rows = gates.number * gates.hidden
    return {
        "W": (directions, rows, "I"),
        "R": (directions, rows, gates.hidden),
        "B": (directions, 2 * rows),
        "P": (directions, 3 * gates.hidden),
    }


def vector(name: str, value: Any, size: int) -> np.ndarray:
    """A bias (size,), which NumPy code also keeps as a row or a column.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    array = real_array(name, value)
    if array.shape not in ((size,), (1, size), (size, 1)):
        raise ValueError(f"{name}: expected shape ({size},), got {array.shape}")
    return array.reshape(size)
