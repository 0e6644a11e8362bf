"""Tables of sizes and addresses, which hand arrays of many sizes to a kernel in one call."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import addressof, c_char
from typing import Any

import numpy as np

from ..parameters.parameter import Parameter
from ..threads import threads_for

__all__ = ["address", "as_parameters", "threads_of", "with_gradients"]


def address(array: np.ndarray) -> int:
    """The address of a C-contiguous, writeable array; the caller keeps it alive.

    Python's buffer protocol refuses any other array. It takes 0.25 µs, and NumPy's `ctypes` 1.2.
    """
    if array.size == 0:
        return 0
    return addressof(c_char.from_buffer(array))  # type: ignore[arg-type]


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
