"""Recurrent stacks by the name of their cell."""

from __future__ import annotations

import inspect
from typing import Any

from ..checks import choice
from ..nn import GRU, LSTM, RNN

__all__ = ["STACKS", "make_stack"]

STACKS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


def make_stack(owner: str, cell: str, *sizes: Any, options: dict[str, Any], **common: Any) -> Any:
    """Make an LSTM, a GRU or an RNN.

    Parameters
    ----------
    owner : str
        The class that was given `options`, which messages name.
    cell : str
        A key of `STACKS`.
    *sizes, **common
        What every cell takes.
    options : dict
        What only some cells take, by name, as a user gave it.

    Raises
    ------
    TypeError
        If the cell has no such option.
    ValueError
        If there is no such cell.
    """
    kind = STACKS[choice("cell", cell, tuple(STACKS))]
    takes = list(inspect.signature(kind.__init__).parameters)[4:]  # after self and the sizes
    known = [name for name in takes if name not in common]
    for name in options:
        if name not in known:
            raise TypeError(
                f"{owner}: unknown argument {name!r}; with cell={cell!r} its further options are "
                f"{', '.join(known)}"
            )
    return kind(*sizes, **common, **options)
