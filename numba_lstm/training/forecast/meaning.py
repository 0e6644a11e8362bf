"""What the numbers of a forecaster mean: its columns, their scaling, and its steps in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...datasets.frequency import Frequency
from ...datasets.scaling import Scaler
from ...datasets.seasonal import Deseasonalizer
from ..runs.folders import RunError

__all__ = ["Meaning"]

_LISTS = {"columns": str, "known": str, "mean": int | float, "scale": int | float, "ids": str}
_NUMBERS = {"targets": int, "window": int, "horizon": int, "count": int | float}
_TEXTS = ("unit", "until")


@dataclass(frozen=True)
class Meaning:
    """What a run keeps of its data, as ``data.json``.

    Attributes
    ----------
    columns : tuple of str
        In the order in which the model takes them: those to forecast first, those that are known
        ahead last.
    targets : int
        How many are to be forecast.
    known : tuple of str
        Those that are known ahead.
    seasonal : dict
        Of a `datasets.Deseasonalizer`: what comes again each day, week and year in the part that
        trains. The model sees what is left without it.
    mean, scale : tuple of float
        Of what is left, over the part that trains; the model is given (x - mean) / scale.
    window, horizon : int
        Rows that a forecast is made from, and steps ahead.
    count, unit
        The `Frequency` of the series.
    ids : tuple of str
        The series' names; one that is empty where there is one series.
    until : str
        The time of the last row that trained or validated.
    day : int or None
        That of the `Frequency`: of months, where some lack it.
    """

    columns: tuple[str, ...]
    targets: int
    known: tuple[str, ...]
    seasonal: Mapping[str, Any]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    window: int
    horizon: int
    count: float
    unit: str
    ids: tuple[str, ...]
    until: str
    day: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are forecast."""
        return self.columns[: self.targets]

    @property
    def frequency(self) -> Frequency:
        """The step in time."""
        return Frequency(self.count, self.unit, self.day)

    @cached_property
    def deseasonalizer(self) -> Deseasonalizer:
        """What takes out the regular part."""
        return Deseasonalizer.from_json(dict(self.seasonal))

    @cached_property
    def scaler(self) -> Scaler:
        """The scaling of all columns."""
        return Scaler(np.array(self.mean), np.array(self.scale))

    def to_json(self) -> dict[str, Any]:
        """Return it as lists, numbers and text."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_json(cls, found: Any, source: str) -> Meaning:
        """Take it of what `to_json` gave.

        Raises
        ------
        RunError
            When it is something else.
        """
        fields = list(cls.__dataclass_fields__)
        if isinstance(found, dict):
            found = {"day": None, **found}  # older runs have none
        if not isinstance(found, dict) or set(found) != set(fields):
            raise RunError(f"{source}: expected {', '.join(fields)}")
        _check_kinds(found, source)
        columns, targets = found["columns"], found["targets"]
        for name in ("mean", "scale"):
            if len(found[name]) != len(columns):
                raise RunError(f"{source}: {name}: expected one for each column")
        _check_seasonal(found, source)
        if not all(map(math.isfinite, found["mean"])):
            raise RunError(f"{source}: mean: expected finite numbers")
        if not all(0 < one < math.inf for one in found["scale"]):
            raise RunError(f"{source}: scale: expected finite numbers above 0")
        if not 1 <= targets <= len(columns):
            raise RunError(f"{source}: targets: expected 1 to {len(columns)}, got {targets}")
        try:
            Frequency(found["count"], found["unit"]).words  # noqa: B018
        except KeyError:
            raise RunError(
                f"{source}: unit: expected a step in time, got {found['unit']!r}"
            ) from None
        if (day := found["day"]) is not None and (
            found["unit"] != "MS" or type(day) is not int or not 29 <= day <= 31
        ):
            raise RunError(f"{source}: day: expected 29 to 31 where months step, got {day!r}")
        if not set(found["known"]) <= set(columns[targets:]):
            raise RunError(f"{source}: known: expected columns besides the targets")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
        }
        return cls(**values)


def _check_seasonal(found: Mapping[str, Any], source: str) -> None:
    try:
        made = Deseasonalizer.from_json(found["seasonal"])
        good = list(made.names) == found["columns"] and bool(np.isfinite(made.weights).all())
        made.effect(np.zeros(1, "datetime64[us]"))
    except (KeyError, TypeError, ValueError, AttributeError):
        good = False
    if not good:
        raise RunError(f"{source}: seasonal: expected weights for each column")


def _check_kinds(found: Mapping[str, Any], source: str) -> None:
    for name, kind in _LISTS.items():
        values = found[name]
        if not isinstance(values, list) or not all(
            isinstance(v, kind) and not isinstance(v, bool) for v in values
        ):
            raise RunError(f"{source}: {name}: expected a list, got something else")
    for name, number in _NUMBERS.items():
        value = found[name]
        if not isinstance(value, number) or isinstance(value, bool) or not 0 < value < math.inf:
            raise RunError(f"{source}: {name}: expected a number above 0, got {value!r}")
    for name in _TEXTS:
        if not isinstance(found[name], str):
            raise RunError(f"{source}: {name}: expected text, got {found[name]!r}")
