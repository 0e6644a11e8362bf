"""Tables of sizes and addresses, which hand arrays of many sizes to a kernel in one call."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from ctypes import addressof, c_char
from typing import Any

import numpy as np

from ..parameters.parameter import Parameter
from ..threads import threads_for

__all__ = ["Table", "address", "as_parameters", "as_rows", "threads_of", "with_gradients"]


def address(array: np.ndarray) -> int:
    """The address of a C-contiguous, writeable array; the caller keeps it alive.

    Python's buffer protocol refuses any other array. It takes 0.25 µs, and NumPy's `ctypes` 1.2.
    """
    if array.size == 0:
        return 0
    return addressof(c_char.from_buffer(array))  # type: ignore[arg-type]


class Table:
    """A table that is kept from step to step, because most of its arrays stay where they are.

    To look up all addresses takes 20 µs of a small model's step, those of the gradients alone 5.

    Parameters
    ----------
    columns : int
        A row holds a size, the address of the values, that of the gradient, those of further
        arrays, and zeros.
    """

    def __init__(self, columns: int) -> None:
        # Arrays, and the table without gradients. The arrays are kept alive: else another one could
        # stand where one of them stood.
        self._known: tuple[list[np.ndarray], np.ndarray] = [], np.zeros((0, columns), np.int64)

    def of(
        self, arrays: Sequence[Sequence[np.ndarray]], gradients: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Give the table, (rows, columns) int64.

        Parameters
        ----------
        arrays : sequence of sequences of numpy.ndarray
            For each row the values, then the further arrays.
        gradients : sequence of numpy.ndarray
            The caller keeps them alive.
        """
        flat = [array for some in arrays for array in some]
        known, rows = self._known
        if len(flat) != len(known) or not all(map(operator.is_, flat, known)):
            rows = np.zeros((len(arrays), rows.shape[1]), np.int64)
            for row, (values, *others) in zip(rows, arrays):
                row[:2] = values.size, address(values)
                row[3 : 3 + len(others)] = list(map(address, others))
            self._known = flat, rows
        table = rows.copy()
        table[:, 2] = list(map(address, gradients))
        return table


def as_rows(numbers: Sequence[tuple[float, ...]]) -> np.ndarray:
    """The numbers that a kernel reads beside each row of its table: (rows, numbers) float64."""
    first = numbers[0]
    out = np.empty((len(numbers), len(first)))
    out[...] = first if numbers.count(first) == len(numbers) else numbers
    return out


def threads_of(table: np.ndarray, work: int) -> int:
    """Threads for a table whose first column holds sizes, at `work` flops for each item."""
    return threads_for(int(table[:, 0].sum()) * work)


def with_gradients(parameters: Any) -> dict[np.dtype, list[np.ndarray]]:
    """The gradients of the parameters that have one and are not frozen, by dtype.

    Raises
    ------
    TypeError
        If `parameters` is neither a parameter nor an iterable of them.
    """
    found: dict[np.dtype, list[np.ndarray]] = {}
    for p in dict.fromkeys(as_parameters(parameters)):
        if p.grad is not None and p.requires_grad:
            found.setdefault(p.dtype, []).append(p.grad)
    return found


def as_parameters(parameters: Any) -> list[Parameter]:
    """A list of parameters from one or from an iterable of them."""
    if isinstance(parameters, Parameter):
        return [parameters]
    if not isinstance(parameters, Iterable) or isinstance(parameters, (str, bytes)):
        raise TypeError(
            f"parameters: expected an iterable of Parameter, got {type(parameters).__name__}"
        )
    listed = list(parameters)
    for p in listed:
        if not isinstance(p, Parameter):
            raise TypeError(f"parameters: expected Parameter, got {type(p).__name__}")
    return listed
