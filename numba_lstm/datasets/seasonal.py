"""The regular part of series, that of the day, the week and the year: taken out, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .calendars import PERIODS, calendar
from .frequency import Frequency
from .series import Series

__all__ = ["Deseasonalizer", "cycles_of", "cycles_seen"]

# A cycle stays where chance would make it as large in one of a hundred series.
_CHANCE = 0.01
# It must have been seen so often: of one period nobody knows what comes again.
_PERIODS_SEEN = 1.98


@dataclass(frozen=True, eq=False)
class Deseasonalizer:
    """What comes again each day, week and year, as sums of sines and cosines.

    A harmonic regression: by least squares each column is a straight line, plus the columns of
    `calendar`, plus errors of which each is `rho` times the one before, and something new
    (Cochrane and Orcutt, 1949). Without the last part slow errors would pass for a season. The
    line is for the fit only: a trend stays in the series. A cycle is taken where the series show
    it twice at least, and where an F test finds it in that column (p < 0.01).

    Parameters
    ----------
    frequency : Frequency, optional
        The step of the series; None where they have no dates, and so no calendar.
    weights : numpy.ndarray
        (names of `calendar`, C) float64; zero where a cycle is not in a column.
    names : tuple of str
        The C columns.

    Examples
    --------
    >>> days = np.arange("2020-01-01", "2022-03-11", dtype="datetime64[D]")
    >>> weekend = (np.arange(800) % 7 >= 5) * 10.0
    >>> sales = Series((100 + weekend)[:, None], days, ("sales",))
    >>> regular = Deseasonalizer.fit(sales)
    >>> regular.cycles, bool(np.ptp(regular.transform(sales).values) < 1e-6)
    ({'sales': ('week',)}, True)
    """

    frequency: Frequency | None
    weights: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def fit(cls, series: Series | Sequence[Series]) -> Deseasonalizer:
        """Find the regular part of one series, or that which several have in common.

        Parameters
        ----------
        series
            Of the same columns, without missing values. Those known ahead are left as they are.

        Raises
        ------
        ValueError
            Values are missing.
        """
        many = [series] if isinstance(series, Series) else list(series)
        first = many[0]
        for one in many:
            if np.isnan(one.values).any():
                raise ValueError(f"{one.source}: expected no missing values; see `regular`")
        frequency = next((one.frequency for one in many if one.frequency is not None), None)
        if frequency is None or any(one.time.dtype.kind != "M" for one in many):
            return cls.of_nothing(first.names)
        groups, usable = _groups(frequency), cycles_seen(many, frequency)
        waves = [calendar(one.time, frequency)[1] for one in many]
        weights = np.zeros((len(groups), first.values.shape[1]))
        for column, name in enumerate(first.names):
            if name in first.known or not usable.any():
                continue
            values = [one.values[:, column] for one in many]
            weights[:, column] = _harmonics(values, waves, groups, usable)
        return cls(frequency, weights, first.names)

    @classmethod
    def of_nothing(cls, names: Sequence[str]) -> Deseasonalizer:
        """Make one that finds nothing regular in columns.

        Parameters
        ----------
        names
            Theirs.
        """
        return cls(None, np.zeros((0, len(names))), tuple(names))

    @property
    def cycles(self) -> dict[str, tuple[str, ...]]:
        """The cycles that were found in each column, such as ``{"sales": ("week", "year")}``."""
        if self.frequency is None:
            return {name: () for name in self.names}
        words, _ = calendar(np.zeros(1, "datetime64[us]"), self.frequency)
        found = {}
        for name, column in zip(self.names, self.weights.T):
            used = [word.split()[0] for word, weight in zip(words, column) if weight]
            found[name] = tuple(dict.fromkeys(used))
        return found

    @property
    def found(self) -> bool:
        """Whether there is anything regular, in any column."""
        return bool(self.weights.any())

    def effect(self, time: np.ndarray) -> np.ndarray:
        """Give the regular part at some times, past or to come.

        Parameters
        ----------
        time
            (T,) datetime64; numbers where the series had numbers.

        Returns
        -------
        numpy.ndarray
            (T, C) float64.
        """
        if not self.found:
            return np.zeros((len(time), self.weights.shape[1]))
        assert self.frequency is not None
        return calendar(time, self.frequency)[1] @ self.weights

    def transform(self, series: Series) -> Series:
        """Return a series without its regular part.

        Parameters
        ----------
        series
            With the columns of `fit`.
        """
        return replace(series, values=series.values - self.effect(series.time))

    def inverse(self, series: Series) -> Series:
        """Return a series with its regular part put back.

        Parameters
        ----------
        series
            As `transform` gave it, or a forecast of all columns.
        """
        return replace(series, values=series.values + self.effect(series.time))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and text."""
        return {
            "frequency": None if self.frequency is None else asdict(self.frequency),
            "weights": self.weights.tolist(),
            "names": list(self.names),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Deseasonalizer:
        """Make one of what `to_json` gave.

        Parameters
        ----------
        data
            Its ``frequency``, ``weights`` and ``names``.
        """
        frequency = None if data["frequency"] is None else Frequency(**data["frequency"])
        weights = np.array(data["weights"], dtype=float).reshape(-1, len(data["names"]))
        return cls(frequency, weights, tuple(data["names"]))


def cycles_seen(series: Sequence[Series], frequency: Frequency) -> np.ndarray:
    """Which columns of `calendar` are of cycles that one of some series shows twice, (P,) bool.

    Parameters
    ----------
    series
        With dates.
    frequency
        Their step.
    """
    seen = max(one.time[-1] - one.time[0] for one in series) / np.timedelta64(1, "h")
    return np.array([seen >= _PERIODS_SEEN * PERIODS[name] for name in _groups(frequency)], bool)


def cycles_of(frequency: Frequency) -> list[np.ndarray]:
    """Which columns of `calendar` are of each cycle, the shortest one first, (P,) bool each.

    Parameters
    ----------
    frequency
        The step of series.
    """
    groups = np.array(_groups(frequency), dtype=object)
    return [groups == name for name in dict.fromkeys(groups)]


def _groups(frequency: Frequency) -> list[str]:
    """The cycle of each column of `calendar`."""
    words, _ = calendar(np.zeros(1, "datetime64[us]"), frequency)
    return [word.split()[0] for word in words]


def _harmonics(
    values: list[np.ndarray], waves: list[np.ndarray], groups: list[str], usable: np.ndarray
) -> np.ndarray:
    """The weights of the waves (P,), zero where they are not usable or not in the values."""
    plain = [(y, w[:, usable]) for y, w in zip(values, waves)]
    rho = _persistence(plain)
    rows = [(y[1:] - rho * y[:-1], w[1:] - rho * w[:-1]) for y, w in plain if len(y) > 3]
    y = np.concatenate([_without_line(y) for y, _ in rows])
    w = np.concatenate([_without_line(w) for _, w in rows])
    names = np.array(groups)[usable]
    kept = np.ones(len(names), bool)
    for group in dict.fromkeys(names):
        kept &= (names != group) | _found(y, w, names == group, 2 * len(rows))
    weights = np.zeros(len(groups))
    if kept.any():
        weights[np.flatnonzero(usable)[kept]] = _solved(y, w[:, kept])
    return weights


def _persistence(rows: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """How much of an error is in the next one, 0 to 1, of a regression that takes them for new."""
    long = [(_without_line(y), _without_line(w)) for y, w in rows if len(y) > 3]
    weights = _solved(np.concatenate([y for y, _ in long]), np.concatenate([w for _, w in long]))
    errors = [y - w @ weights for y, w in long]
    before = sum(float(e[:-1] @ e[:-1]) for e in errors)
    return min(max(sum(float(e[1:] @ e[:-1]) for e in errors) / before, 0.0), 1.0) if before else 0


def _found(y: np.ndarray, w: np.ndarray, which: np.ndarray, lines: int) -> bool:
    """Whether an F test finds some of the waves beside the others."""
    from scipy.special import fdtrc

    with_it = np.square(y - w @ _solved(y, w)).sum()
    others = w[:, ~which]
    without = np.square(y - others @ _solved(y, others)).sum()
    degrees, free = int(which.sum()), len(y) - w.shape[1] - lines
    if free < 1 or without <= with_it:
        return False
    if with_it <= 1e-20 * without:
        return True
    return bool(fdtrc(degrees, free, (without - with_it) / degrees / (with_it / free)) < _CHANCE)


def _solved(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(w, y, rcond=1e-10)[0] if w.shape[1] else np.zeros(0)


def _without_line(values: np.ndarray) -> np.ndarray:
    """Values (T, …) less their mean and their straight trend."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    line = np.multiply.outer(steps, steps @ values / (steps @ steps)) if len(values) > 1 else 0.0
    return values - values.mean(axis=0) - line
