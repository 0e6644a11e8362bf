"""Docstrings with parts that several classes share."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

__all__ = ["NETWORK", "documented"]

# Of the models; the estimators tell of it in their own words.
NETWORK = """\
num_layers : int
    The recurrent layers.
cell : {'lstm', 'gru', 'rnn'}
    What the layers are made of.
bidirectional : bool
    Whether a second direction (D = 2) reads each sequence from its end.
dropout : float
    In training, the probability with which each output between layers, and each feature before
    the last, linear layer, is dropped.
input_dropout, recurrent_dropout : float
    In training, the probability with which elements of each layer's inputs, and of the state
    where the recurrent product reads it, are dropped at all steps of a sequence."""


def documented(**parts: str) -> Callable[[Any], Any]:
    """Put parts into a class's docstring, each where a line says ``{name}``.

    Parameters
    ----------
    **parts
        Texts without indentation.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> import inspect
    >>> @documented(size="size : int\\n    How many.")
    ... class Box:
    ...     '''A box.
    ...
    ...     {size}
    ...     '''
    >>> inspect.getdoc(Box).splitlines()[2:4]
    ['size : int', '    How many.']
    """

    def fill(kind: Any) -> Any:
        text = kind.__doc__
        if text is None:  # python -OO
            return kind
        lines = []
        for line in text.splitlines():
            name = line.strip()
            if name.startswith("{") and name[1:-1] in parts:
                indent = line[: len(line) - len(line.lstrip())]
                lines += textwrap.indent(parts[name[1:-1]], indent).splitlines()
            else:
                lines.append(line)
        kind.__doc__ = "\n".join(lines)
        return kind

    return fill
