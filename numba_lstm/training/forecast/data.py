"""The series of one run, cut by time into rows that train, that validate, and that are forecast.

Scaling is fitted on the rows that train. A window that validates or is tested begins where the rows
before end; what it forecasts lies behind them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...datasets.scaling import Scaler
from ...datasets.seasonal import Deseasonalizer
from ...datasets.series import Series, shown
from ...datasets.sizes import sizes_apart
from ..runs.options import ConfigError
from ..runs.table_options import listed
from .config import ForecastConfig
from .meaning import Meaning
from .reading import ReadSeries, read_all
from .windows import Rows, last_known, seen_at

__all__ = ["ForecastData", "Split", "load_data", "scaled_rows"]

_MOST_FOLDS = 20
_LEAST_WINDOW, _MOST_WINDOW = 28, 336  # the second one is two weeks of hours


class Split(NamedTuple):
    """Where the parts of a series end.

    Attributes
    ----------
    train
        Rows that train.
    first
        Rows before the back-test, at which its first forecast begins.
    """

    train: int
    first: int


@dataclass(frozen=True, eq=False)
class ForecastData:
    """The series of one run.

    Attributes
    ----------
    meaning : Meaning
    series : tuple of ReadSeries
    splits : tuple of Split
    folds : int
        Forecasts of the back-test of each series.
    rows : Rows
        All series, scaled.
    notes : tuple of str
        What was inferred when the files were read.
    """

    meaning: Meaning
    series: tuple[ReadSeries, ...]
    splits: tuple[Split, ...]
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

    def _origins(self, bounds: Callable[[Split], tuple[int, int]]) -> np.ndarray:
        found = []
        for start, split in zip(self.rows.starts, self.splits):
            first, last = bounds(split)
            found.append(start + np.arange(first, last + 1))
        return np.concatenate(found)

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
    """Read what the options name, cut it by time, and scale it.

    Parameters
    ----------
    config
        The options.
    meaning
        What a run that goes on has; else it is taken of the part that trains.

    Raises
    ------
    ConfigError
        When no file is named, or a series is too short.
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
    series = read_all(config.data, config, "data")
    lengths, horizon = [len(one.series) for one in series], config.horizon
    folds = _folds(min(lengths), config)
    splits = [_split(len(one.series), folds, config) for one in series]
    window = config.window
    if window is None:
        frequency = series[0].series.frequency
        season = 1 if frequency is None else frequency.season
        most = min(*((split.train - horizon) // 3 for split in splits), _MOST_WINDOW)
        window = max(1, min(max(2 * horizon, 2 * season, _LEAST_WINDOW), most))
    for number, one in enumerate(series):
        others = lengths[:number] + lengths[number + 1 :]
        _need_rows(one, min(others, default=None), window, config)
    series = [_known_in_time(one, split) for one, split in zip(series, splits)]
    notes = [note for one in series for note in one.notes] + _told(series)
    if meaning is None:
        meaning = _meaning(config, series, splits, window)
        notes += _constant(config, series, splits)
    notes += _sizes(series, splits)
    notes += _regular_part(series[0], meaning)
    rows = scaled_rows(series, meaning, config.dtype)
    return ForecastData(meaning, tuple(series), tuple(splits), folds, rows, tuple(notes))


def scaled_rows(series: Sequence[ReadSeries], meaning: Meaning, dtype: str) -> Rows:
    """The series as the network takes them.

    Raises
    ------
    ConfigError
        When there are numbers that cannot be computed with.
    """
    values, effects = [], []
    for one in series:
        effect = meaning.deseasonalizer.effect(one.series.time)
        effects.append(effect[:, : meaning.targets])
        with np.errstate(over="ignore"):  # told below
            scaled = meaning.scaler.transform(one.series.values - effect).astype(dtype)
        if not np.isfinite(scaled).all():
            row, column = np.argwhere(~np.isfinite(scaled))[0]
            raise ConfigError(
                f"{one.name}: expected numbers that fit in {dtype}, got "
                f"{one.series.values[row, column]:g} in {meaning.columns[column]} at "
                f"{shown(one.series.time[row])}"
            )
        values.append(scaled)
    return Rows.of(values, [one.real for one in series], effects)


def _folds(shortest: int, config: ForecastConfig) -> int:
    """The forecasts of the back-test, where the shortest series has so many rows."""
    assert config.horizon is not None
    if config.folds is not None:
        return config.folds
    return min(max(shortest // (5 * config.horizon), 2), _MOST_FOLDS)


def _split(rows: int, folds: int, config: ForecastConfig) -> Split:
    assert config.horizon is not None
    first = rows - folds * config.horizon
    if not config.valid_fraction:
        return Split(first, first)
    return Split(first - max(math.ceil(config.valid_fraction * first), config.horizon), first)


def _known_in_time(one: ReadSeries, split: Split) -> ReadSeries:
    """The series with no value in a part that was filled by what comes after that part."""
    if one.real is None:
        return one
    values, last = one.series.values.copy(), last_known(one.real)
    for end in split:
        values[:end] = seen_at(values, last, np.arange(end))
    return replace(one, series=replace(one.series, values=values))


def _need_rows(one: ReadSeries, others: int | None, window: int, config: ForecastConfig) -> None:
    """Refuse a series that is too short beside others, the shortest of which has so many rows."""
    assert config.horizon is not None
    horizon, rows = config.horizon, len(one.series)
    least = rows
    while True:
        folds = _folds(least if others is None else min(least, others), config)
        split = _split(least, folds, config)
        missing = window + horizon - split.train
        if missing <= 0:
            break
        # Fewer cannot be enough, as with each row at most one more trains. More may be needed:
        # some of them validate, or are the back-test's.
        least += missing
    if least == rows:
        return
    seen = "one row to forecast from" if window == 1 else f"a window of {window}"
    parts = [f"{seen} and a horizon of {horizon}"]
    if split.first > split.train:
        parts.append(f"{split.first - split.train} rows that validate")
    if folds:
        parts.append(f"{folds} forecasts of the back-test")
    raise ConfigError(f"{one.name}: too short: {', '.join(parts)} need {least} rows, got {rows}")


def _meaning(
    config: ForecastConfig, series: Sequence[ReadSeries], splits: Sequence[Split], window: int
) -> Meaning:
    first = series[0].series
    trained = [one.series.part(None, split.train) for one, split in zip(series, splits)]
    try:
        seasonal = Deseasonalizer.of_nothing(first.names)
        if config.deseasonalize:
            seasonal = Deseasonalizer.fit(trained)
        scaler = Scaler.fit([seasonal.transform(one).values for one in trained])
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
        seasonal=seasonal.to_json(),
        mean=tuple(scaler.mean.tolist()),
        scale=tuple(scaler.scale.tolist()),
        window=window,
        horizon=config.horizon,
        count=first.frequency.count,
        unit=first.frequency.unit,
        ids=tuple(one.series.id for one in series),
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


def _regular_part(one: ReadSeries, meaning: Meaning) -> list[str]:
    """What was found to come again, in words."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, cycles in meaning.deseasonalizer.cycles.items():
        if cycles:
            found.setdefault(cycles, []).append(name)
    words = [f"{' and '.join(cycles)} of {', '.join(names)}" for cycles, names in found.items()]
    told = f"{one.series.source}: the regular part is taken out: the {'; the '.join(words)}"
    return [told] if found else []


def _sizes(series: Sequence[ReadSeries], splits: Sequence[Split]) -> list[str]:
    """A word about series that one scaling does not serve."""
    told = sizes_apart([one.series.target[: split.train] for one, split in zip(series, splits)])
    return [] if told is None else [f"{series[0].series.source}: {told}"]


def _constant(
    config: ForecastConfig, series: Sequence[ReadSeries], splits: Sequence[Split]
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
