"""Models and trainings that the memory cannot hold are refused beforehand, naming the option.

Else many small allocations fill the memory, and the system ends this process or another one. What a
training needs is estimated from below, in numbers of the run's dtype:

- each parameter, its gradient, and its copy in the order in which kernels read it; two more for
  Adam's and AdamW's moments, none for SGD;
- for each step of each sequence of a batch, in each layer and direction, the gates and the states,
  which the backward pass reads, the output and its gradient; and the values and gradients of a
  language model's outputs, or of a classifier's inputs.

Second copies, the data and the libraries come on top: the peak that was measured in training is 1.3
to 2.3 times the estimate. So what is let through may be too large still, but nothing that would fit
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ... import system
from .folders import RunError
from .options import ConfigError

__all__ = [
    "check_values",
    "kept_for_backward",
    "recurrent_parameters",
    "refuse_too_large",
    "training_needs",
]

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_STATES = {"lstm": 2, "gru": 1, "rnn": 1}
_MOMENTS = {"adam": 2, "adamw": 2, "sgd": 0}


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


def kept_for_backward(cell: str, hidden: int, layers: int, directions: int, steps: int) -> int:
    """How many numbers a stack keeps between its forward and its backward pass.

    Parameters
    ----------
    cell, hidden, layers, directions
        As for `recurrent_parameters`.
    steps
        Of all sequences of a batch together.
    """
    return steps * layers * directions * hidden * (_GATES[cell] + _STATES[cell] + 2)


def training_needs(parameters: int, batch: int, optimizer: str) -> dict[str, int]:
    """How many numbers a training holds at once, by what they are for.

    Parameters
    ----------
    parameters
        How many the model has.
    batch
        Numbers that go with a batch.
    optimizer
        ``"adam"``, ``"adamw"`` or ``"sgd"``.
    """
    return {
        "parameters": parameters,
        "gradients": parameters,
        "packed copies": parameters,
        optimizer: _MOMENTS[optimizer] * parameters,
        "a batch": batch,
    }


def refuse_too_large(needs: Mapping[str, int], dtype: str, what: str) -> None:
    """Refuse what no memory could be had for.

    Parameters
    ----------
    needs
        Numbers by what they are for.
    dtype
        Theirs.
    what
        The message's beginning: the option, what was expected and what came.

    Raises
    ------
    ConfigError
        When they are more than the machine's memory holds, or than this process may have of it.
    """
    bytes_each = np.dtype(dtype).itemsize
    needed, memory = bytes_each * sum(needs.values()), system.memory()
    if needed <= memory:
        return
    parts = ", ".join(f"{name} {_gib(bytes_each * n)}" for name, n in needs.items() if n)
    raise ConfigError(
        f"{what}: at least {_gib(needed)} GiB ({parts}) are needed, of which there are "
        f"{_gib(memory)}"
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


def _gib(size: int) -> str:
    gib = size / 2**30
    return f"{gib:,.0f}" if gib >= 10 else f"{gib:.2g}"
