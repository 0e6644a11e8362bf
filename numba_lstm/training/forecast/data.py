"""The series of one run, cut by date into rows that train, that validate, and that are forecast.

Scaling is fitted on the rows that train, of each series by itself. A window that validates or is
tested begins where the rows before end; what it forecasts lies behind them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...datasets.series import Series, shown
from ...datasets.series_scaling import SeriesScaler, SeriesScalers
from ..runs.options import ConfigError
from ..runs.table_options import listed
from ..windowed.cuts import Cut
from ..windowed.rows import Rows, last_known, seen_at
from .config import ForecastConfig
from .cutting import cut_series
from .meaning import Meaning
from .reading import ReadSeries, read_all

__all__ = ["ForecastData", "load_data", "scaled_rows", "whole_forecasts"]

# So many series are named in a note.
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class ForecastData:
    """The series of one run.

    Attributes
    ----------
    meaning : Meaning
    series : tuple of ReadSeries
    splits : tuple of Cut
    folds : int
        Forecasts of the back-test, of the series that reach its end.
    rows : Rows
        All series, scaled.
    notes : tuple of str
        What was inferred when the files were read.
    """

    meaning: Meaning
    series: tuple[ReadSeries, ...]
    splits: tuple[Cut, ...]
    folds: int
    rows: Rows
    notes: tuple[str, ...] = ()

    @property
    def train_origins(self) -> np.ndarray:
        """The rows, counted over all series, at which forecasts to train on begin."""
        window, horizon = self.meaning.window, self.meaning.horizon
        return self._origins(lambda split: (window, split.train - horizon))

    @property
    def valid_origins(self) -> np.ndarray:
        """Those at which forecasts that validate begin."""
        horizon = self.meaning.horizon
        return self._origins(lambda split: (split.train, split.first - horizon))

    @property
    def learnt_origins(self) -> np.ndarray:
        """Those at which forecasts begin that end before the back-test."""
        window, horizon = self.meaning.window, self.meaning.horizon
        return self._origins(lambda split: (window, split.first - horizon))

    def _origins(self, bounds: Callable[[Cut], tuple[int, int]]) -> np.ndarray:
        found = []
        for start, split in zip(self.rows.starts, self.splits):
            first, last = bounds(split)
            found.append(start + np.arange(first, last + 1))
        return self.rows.judged(np.concatenate(found), self.meaning.horizon)

    @property
    def tested(self) -> tuple[int, ...]:
        """How many forecasts the back-test of each series has: 0 where it ended before."""
        pairs = zip(self.series, self.splits)
        return tuple(
            whole_forecasts(one, split.first, self.meaning.horizon) for one, split in pairs
        )

    @property
    def learnt(self) -> tuple[Series, ...]:
        """The series up to the back-test."""
        pairs = zip(self.series, self.splits)
        return tuple(one.series.part(None, split.first) for one, split in pairs)

    def counts(self) -> dict[str, int]:
        """How many rows train, validate and are forecast in the back-test."""
        train = sum(split.train for split in self.splits)
        first = sum(split.first for split in self.splits)
        total = sum(len(one.series) for one in self.series)
        return {"train": train, "valid": first - train, "test": total - first}

    @cached_property
    def _digests(self) -> tuple[str, str]:
        whole, valid = hashlib.sha256(), hashlib.sha256()
        for one, split in zip(self.series, self.splits):
            values, time = one.series.values, one.series.time
            whole.update(repr((one.series.id, values.shape, split)).encode())
            whole.update(np.ascontiguousarray(time).tobytes())
            whole.update(np.ascontiguousarray(values).tobytes())
            valid.update(np.ascontiguousarray(values[split.train : split.first]).tobytes())
        return whole.hexdigest(), valid.hexdigest()

    def digest(self) -> str:
        """A fingerprint of all series and of how they are cut."""
        return self._digests[0]

    def valid_digest(self) -> str:
        """A fingerprint of what validates."""
        return self._digests[1] if self.counts()["valid"] else ""


def load_data(config: ForecastConfig, meaning: Meaning | None = None) -> ForecastData:
    """Read what the options name, cut it by date, and scale it.

    Parameters
    ----------
    config
        The options.
    meaning
        What a run that goes on has; else it is taken of the part that trains.

    Raises
    ------
    ConfigError
        When no file is named, or the series are too short.
    OSError, ValueError
        When a file cannot be read.
    """
    if config.data is None:
        raise ConfigError(
            "data: expected a table with a column of time (--csv FILE), or 'seattle-weather', got "
            "nothing"
        )
    if config.horizon is None:
        raise ConfigError("horizon: expected how many steps ahead (--horizon N), got nothing")
    found = cut_series(read_all(config.data, config, "data"), config)
    splits = found.cuts
    series = [_known_in_time(one, split) for one, split in zip(found.series, splits)]
    notes = [note for one in series for note in one.notes] + _told(series)
    notes += _left_out(found.left_out, found.window, config)
    if meaning is None:
        meaning = _meaning(config, series, splits, found.window)
        notes += _constant(config, series, splits)
    notes += _ending_early(series, splits, found.folds, meaning.horizon)
    notes += _regular_part(series, meaning)
    scalers = [meaning.scalers.of(one.series.part(None, s.train)) for one, s in zip(series, splits)]
    rows = scaled_rows(series, scalers, config.dtype)
    return ForecastData(meaning, tuple(series), tuple(splits), found.folds, rows, tuple(notes))


def scaled_rows(series: Sequence[ReadSeries], scalers: Sequence[SeriesScaler], dtype: str) -> Rows:
    """The series as the network takes them.

    Raises
    ------
    ConfigError
        When there are numbers that cannot be computed with.
    """
    whole = [one.series for one in series]
    rows = Rows.of(whole, scalers, [one.real for one in series], dtype)
    if not np.isfinite(rows.values).all():
        at, column = np.argwhere(~np.isfinite(rows.values))[0]
        which = int(rows.series_of(at))
        one, row = whole[which], at - rows.starts[which]
        raise ConfigError(
            f"{series[which].name}: expected numbers that fit in {dtype}, got "
            f"{one.values[row, column]:g} in {one.names[column]} at {shown(one.time[row])}"
        )
    return rows


def whole_forecasts(one: ReadSeries, first: int, horizon: int) -> int:
    """How many forecasts from a row on a series has the truth of; none where all was filled."""
    count = (len(one.series) - first) // horizon
    if one.real is None or not count:
        return count
    there = one.real[first : first + count * horizon, : one.series.targets]
    return count if there.any(axis=0).all() else 0


def _known_in_time(one: ReadSeries, split: Cut) -> ReadSeries:
    """The series with no value in a part that was filled by what comes after that part."""
    if one.real is None:
        return one
    values, last = one.series.values.copy(), last_known(one.real)
    for end in split:
        values[:end] = seen_at(values, last, np.arange(end))
    return replace(one, series=replace(one.series, values=values))


def _meaning(
    config: ForecastConfig, series: Sequence[ReadSeries], splits: Sequence[Cut], window: int
) -> Meaning:
    first = series[0].series
    trained = [one.series.part(None, split.train) for one, split in zip(series, splits)]
    try:
        scalers = SeriesScalers.fit(trained, deseasonalize=config.deseasonalize)
    except ValueError as error:
        words = str(error).removeprefix("values: ")
        raise ConfigError(
            f"data: {config.data}: {words} (the columns are {', '.join(first.names)})"
        ) from None
    assert first.frequency is not None and config.horizon is not None
    ends = [one.series.time[split.first - 1] for one, split in zip(series, splits)]
    return Meaning(
        columns=first.names,
        targets=first.targets,
        known=first.known,
        scaling=scalers.to_json(),
        window=window,
        horizon=config.horizon,
        count=first.frequency.count,
        unit=first.frequency.unit,
        until=shown(max(ends)),
        day=first.frequency.day,
    )


def _told(series: Sequence[ReadSeries]) -> list[str]:
    """How many rows there are, in which step, from when to when."""
    first = series[0].series
    assert first.frequency is not None
    rows = [len(one.series) for one in series]
    start = min(one.series.time[0] for one in series)
    stop = max(one.series.time[-1] for one in series)
    sizes = f"{min(rows)} to {max(rows)} rows" if min(rows) < max(rows) else f"{rows[0]} rows"
    if len(rows) > 1:
        sizes = f"{len(rows)} series of {sizes}" + ("" if min(rows) < max(rows) else " each")
    every = first.frequency.words.removeprefix("1 ")
    return [
        f"{first.source}: {sizes}, one every {every}, from {shown(start)} to {shown(stop)}",
        *_helpers(first),
    ]


def _helpers(series: Series) -> list[str]:
    """Which columns help, as those of bundled data do that nobody named."""
    names = series.names[series.targets :]
    past = [name for name in names if name not in series.known]
    roles = [(past, "past"), (list(series.known), "known ahead")]
    words = [f"{listed(some)} ({role})" for some, role in roles if some]
    targets = listed(series.names[: series.targets])
    return [f"{series.source}: {targets} is forecast with {' and '.join(words)}"] if words else []


def _regular_part(series: Sequence[ReadSeries], meaning: Meaning) -> list[str]:
    """What was found to come again, in words."""
    cycles: dict[str, dict[str, None]] = {}
    for one in meaning.scalers.fitted:
        for name, found in one.seasonal.cycles.items():
            cycles.setdefault(name, {}).update(dict.fromkeys(found))
    named: dict[tuple[str, ...], list[str]] = {}
    for name, each in cycles.items():
        if each:
            named.setdefault(tuple(each), []).append(name)
    words = [f"{' and '.join(found)} of {', '.join(names)}" for found, names in named.items()]
    own = ", of each series its own" if len(series) > 1 else ""
    source = series[0].series.source
    told = f"{source}: the regular part is taken out: the {'; the '.join(words)}{own}"
    return [told] if named else []


def _left_out(left: Sequence[ReadSeries], window: int, config: ForecastConfig) -> list[str]:
    """A word about series that are too short beside others."""
    if not left:
        return []
    return [
        f"{left[0].series.source}: left out, as they have fewer rows that train than a window of "
        f"{window} and a horizon of {config.horizon}: {_series(left)}"
    ]


def _ending_early(
    series: Sequence[ReadSeries], splits: Sequence[Cut], folds: int, horizon: int
) -> list[str]:
    """A word about series that end before others."""
    counts = [whole_forecasts(one, split.first, horizon) for one, split in zip(series, splits)]
    if not folds:
        return []
    if not any(counts):
        raise ConfigError(
            f"{series[0].series.source}: expected values to forecast in the back-test, got none: "
            "all of them were missing"
        )
    notes = []
    without = [one for one, count in zip(series, counts) if not count]
    fewer = [one for one, count in zip(series, counts) if 0 < count < folds]
    for some, what in (
        (without, "learnt from and not judged, as they have no value in the back-test"),
        (fewer, f"judged by fewer than {folds} forecasts, as they end before the others"),
    ):
        if some:
            notes.append(f"{some[0].series.source}: {what}: {_series(some)}")
    return notes


def _series(some: Sequence[ReadSeries]) -> str:
    """Series in words, not too many of them."""
    names = [repr(one.series.id) for one in some]
    more = len(names) - _MOST_NAMED
    return f"series {', '.join(names[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")


def _constant(
    config: ForecastConfig, series: Sequence[ReadSeries], splits: Sequence[Cut]
) -> list[str]:
    """A word about targets that never change where the model learns."""
    first, notes = series[0].series, []
    for k, name in enumerate(first.names[: first.targets]):
        parts = [one.series.values[: split.train, k] for one, split in zip(series, splits)]
        if max(part.max() for part in parts) == min(part.min() for part in parts):
            notes.append(
                f"{first.source}: {name!r} is {parts[0][0]:g} in all rows that train: there is "
                "nothing to learn"
            )
    return notes
