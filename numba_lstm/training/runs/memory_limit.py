"""Models whose parameters alone are more than the machine's memory are refused beforehand."""

from __future__ import annotations

import os

import numpy as np

from .options import ConfigError

__all__ = ["recurrent_parameters", "refuse_too_large"]

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
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        memory = 0
    if memory <= 0:  # not told
        memory = 2**47  # of which a process can address no more
    needed = parameters * np.dtype(dtype).itemsize
    if needed > memory:
        raise ConfigError(
            f"{what}: its parameters alone take {needed / 2**30:,.0f} GiB, of which there are "
            f"{memory / 2**30:,.0f}"
        )
