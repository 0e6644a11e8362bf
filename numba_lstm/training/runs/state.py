"""What an identical continuation needs, as flat arrays by name and a tree for JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Checkpoint", "put_arrays", "take_arrays"]


@dataclass
class Checkpoint:
    """All that a continuation needs.

    Attributes
    ----------
    model
        The model's state dict.
    optimizer
        The optimizer's state dict: dictionaries and lists of arrays and of what JSON can hold.
    random
        The states of the model's random generators, for JSON.
    state
        The carried (h, c), or h where the cell has no c; None before the first step.
    counters
        Whatever else the loop counts, for JSON.
    other_random
        `random` on the other ranks, where several trained; the rest is the same on all of them.
    """

    model: dict[str, np.ndarray]
    optimizer: dict[str, Any]
    random: dict[str, Any]
    state: tuple[np.ndarray, np.ndarray] | np.ndarray | None
    counters: dict[str, Any]
    other_random: list[dict[str, Any]] = field(default_factory=list)

    def is_finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return all(bool(np.isfinite(array).all()) for array in self.model.values())

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Split into flat arrays by name and a tree for JSON."""
        arrays: dict[str, np.ndarray] = {}
        tree = {
            name: take_arrays(getattr(self, name), name, arrays)
            for name in self.__dataclass_fields__
        }
        if not self.other_random:
            del tree["other_random"]
        return arrays, tree

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], tree: Mapping[str, Any]) -> Checkpoint:
        """Join what `pack` split."""
        tree = {"other_random": [], **tree}
        parts = {name: put_arrays(tree[name], arrays) for name in cls.__dataclass_fields__}
        for name in ("model", "optimizer", "random", "counters"):
            if not isinstance(parts[name], dict):
                raise TypeError(f"{name} is no object")
        if not isinstance(parts["other_random"], list):
            raise TypeError("other_random is no list")
        if not all(isinstance(one, np.ndarray) for one in parts["model"].values()):
            raise TypeError("model holds something else than arrays")
        if isinstance(parts["state"], list):
            parts["state"] = tuple(parts["state"])
        return cls(**parts)


def take_arrays(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return a copy of a tree in which each array is replaced by a reference to ``arrays``."""
    if isinstance(value, np.ndarray):
        while name in arrays:  # {"a": {"b": …}, "a.b": …} would meet in one name
            name += "'"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping):
        # Pairs, because JSON would turn whole-number keys into text.
        return {
            "dict": [[k, take_arrays(item, f"{name}.{k}", arrays)] for k, item in value.items()]
        }
    if isinstance(value, list | tuple):
        return [take_arrays(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def put_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The inverse of `take_arrays`; tuples come back as lists.

    Raises
    ------
    LookupError, TypeError, ValueError
        When `take_arrays` gave no such tree, or there is no such array.
    """
    if isinstance(value, list):
        return [put_arrays(item, arrays) for item in value]
    if isinstance(value, dict):
        if "array" in value:
            return arrays[value["array"]]
        return {key: put_arrays(item, arrays) for key, item in value["dict"]}
    return value
