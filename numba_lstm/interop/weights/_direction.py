"""One direction of one layer in a state dict: its names, and its arrays by what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...checks import flag, size
from ...nn.state_dicts import under_prefix
from .._gates import Gates, gates_of, real

__all__ = ["Direction", "directions_of", "named", "read", "suffix_of"]

_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_peephole")
_ONLY_OURS = ("weight_hr", "weight_ln", "bias_ln", "h_0", "c_0")


class Direction(NamedTuple):
    """Arrays with their rows in our order: (G·H, I), (G·H, H), (G·H,), (G·H,), (3H,)."""

    w: np.ndarray
    u: np.ndarray
    b: np.ndarray | None = None
    d: np.ndarray | None = None
    p: np.ndarray | None = None

    @property
    def gates(self) -> Gates:
        """How many, and of which width."""
        return gates_of("weight_hh", *self.u.shape)

    @property
    def bias(self) -> np.ndarray | None:
        """The sum of both biases."""
        return None if self.b is None or self.d is None else self.b + self.d


def named(direction: Direction, suffix: str) -> dict[str, np.ndarray]:
    """The state dict of one direction."""
    return {
        kind + suffix: array
        for kind, array in zip(_KINDS, direction, strict=True)
        if array is not None
    }


def read(state_dict: Mapping[str, Any], suffix: str) -> Direction:
    """Read one direction out of a state dict, whose names have no prefix.

    Raises
    ------
    TypeError, ValueError
        Naming what is missing, does not fit, or has no place in a plain layer: a projection, a
        layer normalisation.
    """
    found = {
        name.removesuffix(suffix): value
        for name, value in state_dict.items()
        if isinstance(name, str) and name.endswith(suffix)
    }
    for kind in _KINDS[:2]:
        if kind not in found:
            raise ValueError(f"state_dict: expected {kind}{suffix}, got {_some(state_dict)}")
    strange = [kind for kind in found if kind.startswith(_ONLY_OURS)]
    if strange:
        raise ValueError(
            f"state_dict: expected a plain layer, got {strange[0]}{suffix}, "
            "for which these arrays have no place"
        )
    u = real(f"weight_hh{suffix}", found["weight_hh"], ("G·H", "H"))
    rows, hidden = u.shape
    gates_of(f"weight_hh{suffix}", rows, hidden)
    shapes = {"weight_ih": (rows, "I"), "bias_ih": (rows,), "bias_hh": (rows,)}
    shapes |= {"weight_peephole": (3 * hidden,)}
    arrays = {
        kind: real(f"{kind}{suffix}", found[kind], shape)
        for kind, shape in shapes.items()
        if kind in found
    }
    biases = arrays.get("bias_ih"), arrays.get("bias_hh")
    if (biases[0] is None) != (biases[1] is None):
        names = " and ".join(f"{kind}{suffix}" for kind in _KINDS[2:4])
        raise ValueError(f"state_dict: expected {names}, or none, got one")
    return Direction(arrays["weight_ih"], u, *biases, arrays.get("weight_peephole"))


def directions_of(state_dict: Any, layer: Any, prefix: str) -> list[Direction]:
    """Read the one or two directions of a layer.

    Raises
    ------
    TypeError, ValueError
        As `read`, or if `state_dict` is no mapping, or `layer` no number from 0 on.
    """
    names = under_prefix(state_dict, prefix)
    suffixes = suffix_of(layer), suffix_of(layer, True)
    both = f"weight_hh{suffixes[1]}" in names
    return [read(names, suffix) for suffix in suffixes[: 1 + both]]


def suffix_of(layer: Any, reverse: Any = False) -> str:
    """The end of torch's names of one direction."""
    end = "_reverse" if flag("reverse", reverse) else ""
    return f"_l{size('layer', layer, 0)}{end}"


def _some(names: Iterable[Any]) -> str:
    """What names there are, for a message."""
    found = sorted(map(str, names))
    return ", ".join(found[:6] + ["…"] * (len(found) > 6)) or "no names"
