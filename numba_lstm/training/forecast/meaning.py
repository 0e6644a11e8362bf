"""What the numbers of a forecaster mean: its columns, their scaling, and its steps in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...datasets.frequency import Frequency
from ...datasets.series_scaling import SeriesScaler, SeriesScalers
from ..runs.folders import RunError
from ..windowed.rows import Sizes

__all__ = ["Meaning"]

_LISTS = {"columns": str, "known": str}
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
    scaling : dict
        Of `datasets.SeriesScalers`: of each series, by its id, what comes again each day, week and
        year in the part that trains (``seasonal``), and the ``mean`` and ``scale`` of what is left.
        The model is given (x - seasonal - mean) / scale. A series without a name is ``""``.
    window, horizon : int
        Rows that a forecast is made from, and steps ahead.
    count, unit
        The `Frequency` of the series.
    until : str
        The time of the last row that trained or validated.
    day : int or None
        That of the `Frequency`: of months, where some lack it.
    """

    columns: tuple[str, ...]
    targets: int
    known: tuple[str, ...]
    scaling: Mapping[str, Any]
    window: int
    horizon: int
    count: float
    unit: str
    until: str
    day: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are forecast."""
        return self.columns[: self.targets]

    @property
    def ids(self) -> tuple[str, ...]:
        """The series' names; one that is empty where there is one series."""
        return tuple(self.scaling["ids"])

    @property
    def frequency(self) -> Frequency:
        """The step in time."""
        return Frequency(self.count, self.unit, self.day)

    @property
    def sizes(self) -> Sizes:
        """What a forecaster reads and gives."""
        return Sizes(self.targets, len(self.known), len(self.columns), self.window, self.horizon)

    @cached_property
    def scalers(self) -> SeriesScalers:
        """What brings each series to the scale of the model."""
        return SeriesScalers.from_json(self.scaling)

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
            if {"seasonal", "mean", "scale"} <= set(found):
                raise RunError(
                    f"{source}: expected the scale of each series (scaling), got one for all, as "
                    "an older version wrote it; train the run anew"
                )
            found = {"day": None, **found}  # older runs have none
        if not isinstance(found, dict) or set(found) != set(fields):
            raise RunError(f"{source}: expected {', '.join(fields)}")
        _check_kinds(found, source)
        columns, targets = found["columns"], found["targets"]
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
        _check_scaling(found, source)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
        }
        return cls(**values)


def _check_scaling(found: Mapping[str, Any], source: str) -> None:
    where = f"{source}: scaling"
    try:
        scaling = found["scaling"]
        made = SeriesScalers.from_json(scaling)
        flags = [type(scaling[name]) is bool for name in ("deseasonalize", "standardize")]
        good = bool(made.ids) and all(flags) and made.known == tuple(found["known"])
        parts = {f"ids.{id}": one for id, one in zip(made.ids, made.fitted)}
        for part, one in {**parts, "others": made.others}.items():
            if fault := _fault(one, found["columns"]):
                raise RunError(f"{where}.{part}.{fault}")
    except RunError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        good = False
    if not good:
        raise RunError(f"{where}: expected what scales each series")


def _fault(one: SeriesScaler, columns: list[str]) -> str:
    """What is wrong with the scaling of a series, in words; "" for nothing."""
    for name in ("mean", "scale"):
        if getattr(one.scaler, name).shape != (len(columns),):
            return f"{name}: expected one for each column"
    if not np.isfinite(one.scaler.mean).all():
        return "mean: expected finite numbers"
    if not (np.isfinite(one.scaler.scale) & (one.scaler.scale > 0)).all():
        return "scale: expected finite numbers above 0"
    try:
        good = list(one.seasonal.names) == columns and bool(np.isfinite(one.seasonal.weights).all())
        one.seasonal.effect(np.zeros(1, "datetime64[us]"))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        good = False
    return "" if good else "seasonal: expected weights for each column"


def _check_kinds(found: Mapping[str, Any], source: str) -> None:
    for name, kind in _LISTS.items():
        values = found[name]
        if not isinstance(values, list) or not all(isinstance(v, kind) for v in values):
            raise RunError(f"{source}: {name}: expected a list, got something else")
    for name, number in _NUMBERS.items():
        value = found[name]
        if not isinstance(value, number) or isinstance(value, bool) or not 0 < value < math.inf:
            raise RunError(f"{source}: {name}: expected a number above 0, got {value!r}")
    for name in _TEXTS:
        if not isinstance(found[name], str):
            raise RunError(f"{source}: {name}: expected text, got {found[name]!r}")
