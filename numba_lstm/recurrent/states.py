"""The states of a recurrent stack, as its caller has them and as its layers do.

Where all layers have one size a state is one array (L·D, B, H), as torch has it. Where they differ
it is a list of arrays, one a layer, (D, B, H_l) each. Layers take either by number of layer and
direction: the array itself, or a flat list of L·D arrays (B, H_l).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import as_float

__all__ = ["as_state", "check_state", "new_state", "pair_or_one", "state_taken"]

# (L·D, B, H), or L·D arrays (B, H_l)
Flat = np.ndarray | list[np.ndarray]


def pair_or_one(name: str, names: Sequence[str], value: Any) -> Sequence[Any]:
    """Give a state's arrays: those of the pair that an LSTM's is, or the one of other cells.

    Raises
    ------
    TypeError
        If there should be a pair, naming the argument `name` and its parts `names`.
    """
    if len(names) == 1:
        return (value,)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        came = type(value).__name__
        if isinstance(value, (tuple, list)):
            came += f" of {len(value)}"
        raise TypeError(f"{name}: expected a pair ({', '.join(names)}), got {came}")
    return value


def as_state(
    name: str,
    value: Any,
    dtype: np.dtype,
    shape: tuple[int, ...],
    about: tuple[str, tuple[int, ...]],
) -> np.ndarray:
    """`as_float` whose refusal also says the name and shape of what asks for `shape`, `about`.

    It is often there that the mistake lies: a batch forgotten, or `batch_first`.
    """
    try:
        return as_float(name, value, dtype, shape=shape)
    except ValueError as error:
        raise ValueError(f"{error}, with {about[0]} of shape {about[1]}") from None


def check_state(
    name: str,
    value: Any,
    widths: Sequence[int],
    directions: int,
    batch: int | None,
    dtype: np.dtype,
    about: tuple[str, tuple[int, ...]],
    cotangent: bool = False,
) -> Flat:
    """Bring a caller's state to the layers' form.

    Parameters
    ----------
    name : str
        The argument's name.
    value : array_like, or a list of them
    widths : sequence of int
        Each layer's.
    directions : int
        D.
    batch : int or None
        B; None for a single sequence, whose states have no such axis.
    dtype : numpy.dtype
    about : (str, tuple of int)
        The name and shape of the argument that B comes from.
    cotangent : bool
        Whether a layer's part may be None, which means zero.

    Raises
    ------
    TypeError, ValueError
        Naming the argument or, where layers differ, its part ``name[l]``.
    """
    middle = () if batch is None else (batch,)
    if _alike(widths):
        shape = (len(widths) * directions, *middle, widths[0])
        return _batched(as_state(name, value, dtype, shape, about), batch)
    if not isinstance(value, (list, tuple)):
        raise TypeError(
            f"{name}: expected a list of {len(widths)} arrays, one a layer, "
            f"got {type(value).__name__}"
        )
    if len(value) != len(widths):
        raise ValueError(f"{name}: expected {len(widths)} arrays, one a layer, got {len(value)}")
    parts = []
    for layer, (part, width) in enumerate(zip(value, widths)):
        shape = (directions, *middle, width)
        if part is None and cotangent:
            parts.append(np.zeros(shape, dtype))
        else:
            parts.append(as_state(f"{name}[{layer}]", part, dtype, shape, about))
    return [one for part in parts for one in _batched(part, batch)]


def new_state(widths: Sequence[int], directions: int, batch: int, dtype: np.dtype) -> Flat:
    """Memory for a state in the layers' form."""
    if _alike(widths):
        return np.empty((len(widths) * directions, batch, widths[0]), dtype)
    return [np.empty((batch, width), dtype) for width in widths for _ in range(directions)]


def state_taken(state: Flat, directions: int, batched: bool) -> Any:
    """Give a state as its caller gets it."""
    if isinstance(state, np.ndarray):
        return state if batched else state[:, 0]
    every = range(0, len(state), directions)
    parts = [np.stack(state[first : first + directions]) for first in every]
    return parts if batched else [part[:, 0] for part in parts]


def _alike(widths: Sequence[int]) -> bool:
    return min(widths) == max(widths)


def _batched(array: np.ndarray, batch: int | None) -> np.ndarray:
    return array[:, None] if batch is None else array
