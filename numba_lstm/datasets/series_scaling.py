"""Each series brought to one scale by what it shows itself: its season taken out, then scaled.

Forecasters of several series see all of them alike, however large they are, and their forecasts are
brought back to the size and the season of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .scaling import Scaler
from .seasonal import Deseasonalizer, cycles_of, cycles_seen
from .series import Series

__all__ = ["SeriesScaler", "SeriesScalers"]


@dataclass(frozen=True, eq=False)
class SeriesScaler:
    """What brings one series to the scale that forecasters see.

    Parameters
    ----------
    seasonal : Deseasonalizer
        What comes again each day, week and year, in the units of the series.
    scaler : Scaler
        Of what is left.
    """

    seasonal: Deseasonalizer
    scaler: Scaler

    def transform(self, series: Series) -> np.ndarray:
        """Return the values (T, C) less their season, scaled.

        Parameters
        ----------
        series
            With the columns of those that it was fitted to.
        """
        return self.scaler.transform(series.values - self.seasonal.effect(series.time))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and text."""
        return {"seasonal": self.seasonal.to_json(), **self.scaler.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SeriesScaler:
        """Make one of what `to_json` gave.

        Parameters
        ----------
        data
            Its ``seasonal``, ``mean`` and ``scale``.
        """
        return cls(Deseasonalizer.from_json(data["seasonal"]), Scaler.from_json(data))


@dataclass(frozen=True, eq=False)
class SeriesScalers:
    """The scalers of several series, each by its own rows, and a rule for series that come later.

    A cycle that a series is too short to show is taken from the others: the mean of those that show
    it, in units of the steps from one value to the next. A column that is known ahead, and is
    constant in a series, as a holiday that has not come yet, has the median of the others' scales.
    All else is the series' own.

    Parameters
    ----------
    fitted : tuple of SeriesScaler
        Of each series of `fit`.
    ids : tuple of str
        Those by which these are found again; none where they have no names that tell them apart.
    others : SeriesScaler
        What series have in common: a season in units of their steps, and scales.
    known : tuple of str
        The columns that are known ahead.
    deseasonalize, standardize : bool
        Whether the season is taken out, and whether values are scaled.

    Examples
    --------
    >>> days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
    >>> small = Series(np.sin(np.arange(60.0))[:, None], days, ("sales",), id="small")
    >>> large = Series(1000 * small.values, days, ("sales",), id="large")
    >>> scalers = SeriesScalers.fit([small, large])
    >>> bool(np.allclose(*(scalers.of(one).transform(one) for one in (small, large))))
    True
    """

    fitted: tuple[SeriesScaler, ...]
    ids: tuple[str, ...]
    others: SeriesScaler
    known: tuple[str, ...] = ()
    deseasonalize: bool = True
    standardize: bool = True

    @classmethod
    def fit(
        cls, series: Sequence[Series], *, deseasonalize: bool = True, standardize: bool = True
    ) -> SeriesScalers:
        """Measure series, each by itself.

        Parameters
        ----------
        series
            The rows that train, of the same columns, without missing values.
        deseasonalize, standardize
            Whether the season is taken out, and whether values are scaled.

        Raises
        ------
        ValueError
            Values are missing, or too large to scale.
        """
        first = series[0]
        nothing = SeriesScaler(Deseasonalizer.of_nothing(first.names), _unit(len(first.names)))
        flags = {"deseasonalize": deseasonalize, "standardize": standardize}
        alone = cls((), (), nothing, first.known, **flags)
        found = [alone._own(one) for one in series]
        ids = tuple(one.id for one in series)
        ids = ids if len(set(ids)) == len(ids) else ()
        whole = cls((), (), _in_common(series, found), first.known, **flags)
        if len(series) > 1:
            found = [whole._own(one) for one in series]
        return cls(tuple(found), ids, whole.others, first.known, **flags)

    def of(self, history: Series) -> SeriesScaler:
        """Give the scaler of a series: the fitted one where its id is known, else by its own rows.

        Parameters
        ----------
        history
            The rows before what is to be forecast.
        """
        known = self._by_id.get(history.id)
        return self._own(history) if known is None else known

    @cached_property
    def _by_id(self) -> dict[str, SeriesScaler]:
        return dict(zip(self.ids, self.fitted))

    def _own(self, history: Series) -> SeriesScaler:
        seasonal = Deseasonalizer.of_nothing(history.names)
        if self.deseasonalize:
            seasonal = self._with_others(Deseasonalizer.fit(history), history)
        if not self.standardize:
            return SeriesScaler(seasonal, _unit(len(history.names)))
        scaler = _rest(seasonal, history)
        scale = scaler.scale.copy()
        for name in self.known:
            column = history.names.index(name)
            if _is_constant(history.values[:, column]):
                scale[column] = self.others.scaler.scale[column]
        return SeriesScaler(seasonal, Scaler(scaler.mean, scale))

    def _with_others(self, own: Deseasonalizer, history: Series) -> Deseasonalizer:
        """The season of a history, and of cycles that it is too short for that of the others."""
        common = self.others.seasonal
        if not common.found or history.time.dtype.kind != "M":
            return own
        assert common.frequency is not None
        # A few rows may seem to keep another step, which has other cycles.
        same = own.weights.shape == common.weights.shape
        weights = own.weights if same else np.zeros_like(common.weights)
        seen, rest = cycles_seen([history], common.frequency), history
        for cycle in cycles_of(common.frequency):
            if not seen[cycle].all():
                part = common.weights * cycle[:, None] * _steps(rest.values - own.effect(rest.time))
                weights = weights + part
                rest = Deseasonalizer(common.frequency, part, own.names).transform(rest)
        return Deseasonalizer(common.frequency, weights, own.names)

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and text; of series that ids tell apart."""
        return {
            "ids": {id: one.to_json() for id, one in zip(self.ids, self.fitted)},
            "others": self.others.to_json(),
            "known": list(self.known),
            "deseasonalize": self.deseasonalize,
            "standardize": self.standardize,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SeriesScalers:
        """Make them of what `to_json` gave.

        Parameters
        ----------
        data
            All of it.
        """
        fitted = tuple(SeriesScaler.from_json(one) for one in data["ids"].values())
        others = SeriesScaler.from_json(data["others"])
        flags = data["deseasonalize"], data["standardize"]
        return cls(fitted, tuple(data["ids"]), others, tuple(data["known"]), *flags)


def _unit(width: int) -> Scaler:
    """A scaler that changes nothing."""
    return Scaler(np.zeros(width), np.ones(width))


def _rest(seasonal: Deseasonalizer, series: Series) -> Scaler:
    """The scaler of what is left of a series without its season."""
    return Scaler.fit(seasonal.transform(series).values)


def _is_constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


def _steps(values: np.ndarray) -> np.ndarray:
    """(C,) how far a value is from the one before, which slow cycles change little.

    It is what amplitudes of cycles are measured by: the deviation of a few weeks has little of the
    year in it, and that of all of them much.
    """
    steps = np.diff(values, axis=0)
    return np.sqrt(np.square(steps).sum(axis=0) / max(len(steps), 1))


def _in_common(series: Sequence[Series], found: Sequence[SeriesScaler]) -> SeriesScaler:
    """The mean season of those that show a cycle, in units of their steps, and median scales."""
    width = len(series[0].names)
    each = [_rest(by.seasonal, one).scale for one, by in zip(series, found)]
    scales = np.ones(width)
    for column in range(width):
        varying = [
            scale[column]
            for one, scale in zip(series, each)
            if not _is_constant(one.values[:, column])
        ]
        scales[column] = np.median(varying) if varying else 1.0
    return SeriesScaler(_mean_season(series, found), Scaler(np.zeros(width), scales))


def _mean_season(series: Sequence[Series], found: Sequence[SeriesScaler]) -> Deseasonalizer:
    """The mean season; each cycle by the series that show it, less their shorter cycles."""
    names = series[0].names
    frequency = next((by.seasonal.frequency for by in found if by.seasonal.frequency), None)
    if frequency is None:
        return Deseasonalizer.of_nothing(names)
    total = count = np.zeros(1)
    for one, by in zip(series, found):
        if by.seasonal.frequency is None or str(by.seasonal.frequency) != str(frequency):
            continue
        seen, rest = cycles_seen([one], frequency), one
        for cycle in cycles_of(frequency):
            part = by.seasonal.weights * (cycle & seen)[:, None]
            size = _steps(rest.values)
            total = total + part / np.where(size > 0, size, 1.0)
            rest = Deseasonalizer(frequency, part, names).transform(rest)
        count = count + seen[:, None]
    return Deseasonalizer(frequency, total / np.maximum(count, 1), names)
