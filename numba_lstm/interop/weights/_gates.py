"""The order of gates: rows of weights in blocks of H, one a gate, and how to put them in another.

Orders are strings of a letter for each block, in our letters: ``ifgo`` of an LSTM, ``rzn`` of a
GRU, ``h`` of a plain RNN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...checks import real_array

__all__ = ["OURS", "Gates", "gates_of", "letters", "real", "reorder", "vector"]

# By the number of blocks.
OURS = {4: "ifgo", 3: "rzn", 1: "h"}

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
    """An array of real numbers of this shape, of which words stand for any length.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    array = real_array(name, value)
    if array.ndim != len(shape) or any(
        isinstance(want, int) and got != want for got, want in zip(array.shape, shape)
    ):
        words = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name}: expected shape ({words}), got {array.shape}")
    return array


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
