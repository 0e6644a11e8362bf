"""Models whose parameters alone are more than the machine's memory are refused beforehand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..._memory import memory_bytes
from .folders import RunError
from .options import ConfigError

__all__ = ["check_values", "recurrent_parameters", "refuse_too_large"]

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def recurrent_parameters(
    cell: str, inputs: int, hidden: int, layers: int, directions: int = 1
) -> int:
    """How many parameters a stack of recurrent layers has.

    Parameters
    ----------
    cell
        ``"lstm"``, ``"gru"`` or ``"rnn"``.
    inputs, hidden
        Sizes of the first layer's input and of each layer's state.
    layers
        How many.
    directions
        2 where each layer also reads from the end.
    """
    gates = _GATES[cell] * hidden
    first = gates * (inputs + hidden + 2)
    others = (layers - 1) * gates * (directions * hidden + hidden + 2)
    return directions * (first + others)


def refuse_too_large(parameters: int, dtype: str, what: str) -> None:
    """Refuse what no allocation could be had for, before many smaller ones fill the memory.

    Parameters
    ----------
    parameters
        How many.
    dtype
        Theirs.
    what
        The message's beginning: the option, what was expected and what came.

    Raises
    ------
    ConfigError
        When they are more than the machine's memory holds.
    """
    memory = memory_bytes()
    needed = parameters * np.dtype(dtype).itemsize
    if needed > memory:
        raise ConfigError(
            f"{what}: its parameters alone take {needed / 2**30:,.0f} GiB, of which there are "
            f"{memory / 2**30:,.0f}"
        )


def check_values(values: Mapping[str, np.ndarray], parameters: int, what: str) -> None:
    """Refuse options that make a greater model than a file holds, before it is made; and NaN.

    Parameters
    ----------
    values
        What the file holds.
    parameters
        How many the options make.
    what
        The message's beginning: what does not fit.

    Raises
    ------
    RunError
        When there are fewer values than parameters, or one is not finite.
    """
    found = sum(array.size for array in values.values())
    if found < parameters:
        raise RunError(f"{what}: expected a model of {parameters:,} numbers, got {found:,}")
    for name, array in values.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RunError(f"{what}: expected finite numbers, got infinity or NaN in {name}")
