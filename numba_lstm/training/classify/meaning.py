"""What the numbers of a model of sequences mean: its columns, their scaling, and its classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...datasets.scaling import Scaler
from ..runs.folders import RunError
from ..runs.options import ConfigError

__all__ = ["Meaning"]


@dataclass(frozen=True)
class Meaning:
    """What a run keeps of its data, as ``data.json``.

    Attributes
    ----------
    columns : tuple of str
        The features' names, in the order in which the model takes them.
    classes : tuple of str
        The labels, in the order of the model's logits.
    mean, scale : tuple of float
        Of each column over the training part, as `datasets.Scaler` finds them; the model is given
        (x - mean) / scale.
    """

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        classes: Sequence[str],
        x: Sequence[np.ndarray],
        standard: bool,
    ) -> Meaning:
        """Take it of a training part: sequences (T_i, I), all of whose steps count the same."""
        if standard:
            scaler = Scaler.fit(list(x))
        else:
            scaler = Scaler(np.zeros(len(columns)), np.ones(len(columns)))
        mean, scale = scaler.mean.tolist(), scaler.scale.tolist()
        return cls(tuple(columns), tuple(classes), tuple(mean), tuple(scale))

    def scaled(self, x: Sequence[np.ndarray], dtype: str) -> list[np.ndarray]:
        """Bring sequences (T_i, I) to the scale that the model is given.

        Numbers beyond the dtype become infinite.
        """
        scaler = Scaler(np.array(self.mean), np.array(self.scale))
        with np.errstate(over="ignore"):  # infinity is refused with its place
            return [scaler.transform(one).astype(dtype) for one in x]

    def places(self, columns: Sequence[str], source: str) -> list[int]:
        """The places of the run's columns among those of a file.

        Raises
        ------
        ConfigError
            When one is missing.
        """
        missing = [name for name in self.columns if name not in columns]
        if missing:
            raise ConfigError(
                f"{source}: expected the columns {', '.join(self.columns)}, got no "
                f"{' and no '.join(missing)}"
            )
        return [list(columns).index(name) for name in self.columns]

    def numbers(self, labels: Sequence[str], source: str) -> np.ndarray:
        """The classes' numbers of some labels.

        Raises
        ------
        ConfigError
            When there is no such class.
        """
        known = {name: k for k, name in enumerate(self.classes)}
        for label in labels:
            if label not in known:
                raise ConfigError(
                    f"{source}: expected labels of the training part ({', '.join(self.classes)}), "
                    f"got {label}"
                )
        return np.array([known[label] for label in labels], np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return it as lists."""
        return {name: list(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, found: Any, source: str) -> Meaning:
        """Take it of what `to_json` gave.

        Raises
        ------
        RunError
            When it is something else.
        """
        kinds = {"columns": str, "classes": str, "mean": int | float, "scale": int | float}
        if not isinstance(found, dict) or set(found) != set(kinds):
            raise RunError(f"{source}: expected {', '.join(kinds)}")
        for name, kind in kinds.items():
            values = found[name]
            if not isinstance(values, list) or not all(
                isinstance(v, kind) and not isinstance(v, bool) for v in values
            ):
                raise RunError(f"{source}: {name}: expected a list, got something else")
            if name != "classes" and len(values) != len(found["columns"]):
                raise RunError(f"{source}: {name}: expected one for each column")
        if not all(map(math.isfinite, found["mean"])):
            raise RunError(f"{source}: mean: expected finite numbers")
        if not all(0 < one < math.inf for one in found["scale"]):
            raise RunError(f"{source}: scale: expected finite numbers above 0")
        return cls(**{name: tuple(found[name]) for name in kinds})
