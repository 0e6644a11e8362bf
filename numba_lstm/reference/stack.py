"""Layers of recurrent directions, for any cell: torch's order, names and dropout between layers.

Layer l reads what layer l - 1 gave, both directions side by side, times a mask. A layer's states
are listed forward direction before reverse. Parameters have the names of the cell's and a tail
that says where they belong: ``weight_ih_l0``, ``weight_ih_l0_reverse``, ``weight_hr_l1``, … The
names say how many layers and directions there are and which options the cell has on; layers may
have different hidden sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .recurrent import Cell, Dropout, RecurrentSaved, recurrent_backward, recurrent_forward

__all__ = ["StackGradients", "StackOutput", "StackSaved", "stack_backward", "stack_forward"]

Array = np.ndarray


class StackSaved(NamedTuple):
    """What a stack keeps for its backward pass."""

    layers: list[dict[str, RecurrentSaved]]  # by tail: "_l0", "_l0_reverse"
    between: Sequence[Array | None]
    names: list[str]


class StackOutput(NamedTuple):
    """What a stack gives."""

    y: Array  # (T, B, D·width of the last layer's h)
    finals: list[list[Array]]  # for each of the cell's states, L·D arrays (B, width)
    sequences: list[list[Array]]  # for each of the cell's states, L arrays (T, B, D·width)


class StackGradients(NamedTuple):
    """Gradients of a stack, `dinitial` as `StackOutput.finals`, `parameters` by name."""

    dx: Array
    dinitial: list[list[Array]]
    parameters: dict[str, Array]


def stack_forward(
    cell: Cell,
    parameters: Mapping[str, Array],
    x: Array,
    initial: Sequence[Sequence[Array] | Array],
    *,
    lengths: Sequence[int] | Array | None = None,
    reset: Array | None = None,
    dropout: Mapping[str, Dropout] | None = None,
    between: Sequence[Array | None] = (),
) -> tuple[StackOutput, StackSaved]:
    """Run a stack of layers, in one direction or both.

    Parameters
    ----------
    cell : Cell
        Of every layer.
    parameters : mapping of str to array
    x : array, shape (T, B, I)
    initial : for each of the cell's states, L·D arrays (B, width)
        (h0, c0) of an LSTM, (h0,) of others; each may be one array (L·D, B, width).
    lengths, reset
        As for `recurrent_forward`: every layer's and direction's.
    dropout : mapping of str to Dropout
        By tail ("_l0", "_l0_reverse", …); a tail that is not there has none.
    between : sequence of (array of shape (T, B, D·width of h), or None)
        Layer l's output is multiplied by between[l] before it enters layer l + 1. None, or a
        sequence that ends before, means all ones.

    Returns
    -------
    output : StackOutput
        `sequences[1][-1]` are the last layer's cell states, where a cell has them.
    saved : StackSaved
    """
    output = StackOutput(x, [[] for _ in initial], [[] for _ in initial])
    kept: list[dict[str, RecurrentSaved]] = []
    for layer, tails in enumerate(_tails(parameters)):
        kept.append({})
        sides = []
        for tail in tails:
            which = len(output.finals[0])
            side, finals, kept[layer][tail] = recurrent_forward(
                cell,
                _own(parameters, tail),
                x,
                [s[which] for s in initial],
                lengths=lengths,
                reset=reset,
                reverse=tail.endswith("_reverse"),
                dropout=(dropout or {}).get(tail),
            )
            sides.append(side)
            for collected, final in zip(output.finals, finals):
                collected.append(final)
        for collected, values in zip(output.sequences, zip(*sides)):
            collected.append(np.concatenate(values, axis=2))
        x = _times(output.sequences[0][-1], between, layer)
    return output._replace(y=output.sequences[0][-1]), StackSaved(kept, between, list(parameters))


def stack_backward(
    saved: StackSaved,
    dy: Array,
    dfinals: Sequence[Sequence[Array] | Array | None] = (),
    dsequences: Sequence[Sequence[Array | None]] = (),
) -> StackGradients:
    """Go back through what `stack_forward` saved.

    Parameters
    ----------
    saved : StackSaved
    dy : array, shape (T, B, D·width)
    dfinals, dsequences
        Further cotangents, as `StackOutput.finals` and `.sequences`; None, or a sequence that ends
        before, means zero.

    Returns
    -------
    StackGradients
    """
    states = len(next(iter(saved.layers[0].values())).state_shapes)
    which = sum(len(layer) for layer in saved.layers)
    dinitial: list[list[Array]] = [[] for _ in range(states)]
    gradients: dict[str, Array] = {}
    for layer in reversed(range(len(saved.layers))):
        directions = saved.layers[layer]
        given = [d[layer] for d in dsequences]
        given += [None] * (states - len(given))
        given[0] = dy if given[0] is None else dy + given[0]
        # The directions' outputs stand side by side.
        sides = [d if d is None else np.split(d, len(directions), axis=2) for d in given]
        dy = np.zeros(())
        for side, (tail, kept) in reversed(list(enumerate(directions.items()))):
            which -= 1
            back = recurrent_backward(
                kept,
                [d if d is None else d[side] for d in sides],
                [d if d is None else d[which] for d in dfinals],
            )
            dy = dy + back.dx  # both directions read the same x
            for collected, d in zip(dinitial, back.dinitial):
                collected.insert(0, d)
            gradients |= {name + tail: d for name, d in back.parameters.items()}
        dy = _times(dy, saved.between, layer - 1)
    return StackGradients(dy, dinitial, {name: gradients[name] for name in saved.names})


def _tails(parameters: Mapping[str, Array]) -> list[list[str]]:
    """Return each layer's directions, as the tails of their parameters' names."""
    directions = ["", "_reverse"] if "weight_hh_l0_reverse" in parameters else [""]
    layers = sum(name.startswith("weight_hh_l") for name in parameters) // len(directions)
    return [[f"_l{layer}{direction}" for direction in directions] for layer in range(layers)]


def _own(parameters: Mapping[str, Array], tail: str) -> dict[str, Array]:
    """Return one direction's parameters by the cell's names."""
    return {n.removesuffix(tail): value for n, value in parameters.items() if n.endswith(tail)}


def _times(value: Array, between: Sequence[Array | None], layer: int) -> Array:
    """Multiply what goes from a layer to the next by the mask between them, if there is one."""
    mask = between[layer] if 0 <= layer < len(between) else None
    return value if mask is None else value * mask
