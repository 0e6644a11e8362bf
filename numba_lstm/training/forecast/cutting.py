"""Where the series of a run are cut, and which are too short beside others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..runs.options import ConfigError
from ..windowed.cuts import Cut, auto_window, cut, places
from .config import ForecastConfig
from .reading import ReadSeries

__all__ = ["CutSeries", "cut_series"]

_MOST_FOLDS = 20


class CutSeries(NamedTuple):
    """Series that are long enough, and where they are cut.

    Attributes
    ----------
    series : list of ReadSeries
    cuts : list of Cut
    folds : int
        Forecasts of the back-test.
    window : int
        Rows that a forecast is made from.
    left_out : list of ReadSeries
        Those with too few rows that train.
    """

    series: list[ReadSeries]
    cuts: list[Cut]
    folds: int
    window: int
    left_out: list[ReadSeries]


def cut_series(series: Sequence[ReadSeries], config: ForecastConfig) -> CutSeries:
    """Cut series at the same dates.

    The back-test, and before it what validates, end with the last of the series. How long they are
    follows from the median of their lengths. Series that have no whole window before what validates
    are left out: nothing could be learnt from them.

    Raises
    ------
    ConfigError
        When no series is long enough.
    """
    kept, left = list(series), list[ReadSeries]()
    while True:
        rows = int(np.median([len(one.series) for one in kept]))
        folds, cuts = _folds(rows, config), _cuts(kept, rows, config)
        window = config.window
        if window is None:
            frequency = kept[0].series.frequency
            season = 1 if frequency is None else frequency.season
            typical = int(np.median([split.train for split in cuts]))
            window = auto_window(_horizon(config), season, typical)
        need = window + _horizon(config)
        short = {n for n, split in enumerate(cuts) if split.train < need}
        if len(short) == len(kept):
            _refuse(max(kept, key=lambda one: len(one.series)), window, config)
        if not short:
            return CutSeries(kept, cuts, folds, window, left)
        left += [one for n, one in enumerate(kept) if n in short]
        # Without them the others may end earlier.
        kept = [one for n, one in enumerate(kept) if n not in short]


def _horizon(config: ForecastConfig) -> int:
    assert config.horizon is not None
    return config.horizon


def _folds(rows: int, config: ForecastConfig) -> int:
    """The forecasts of the back-test, where series have so many rows."""
    if config.folds is not None:
        return config.folds
    return min(max(rows // (5 * _horizon(config)), 2), _MOST_FOLDS)


def _parts(rows: int, config: ForecastConfig) -> tuple[int, int]:
    """How many steps validate, and how many are the back-test's."""
    test = _folds(rows, config) * _horizon(config)
    if not config.valid_fraction:
        return 0, test
    return max(math.ceil(config.valid_fraction * (rows - test)), _horizon(config)), test


def _cuts(series: Sequence[ReadSeries], rows: int, config: ForecastConfig) -> list[Cut]:
    steps = any(one.steps for one in series)
    grid = places([one.dates for one in series], None if steps else series[0].series.frequency)
    return cut(grid, *_parts(rows, config))


def _refuse(one: ReadSeries, window: int, config: ForecastConfig) -> None:
    """Refuse the longest series, telling how many rows would be enough where it is the only one."""
    horizon, rows = _horizon(config), len(one.series)
    least = rows
    while True:
        folds, (valid, test) = _folds(least, config), _parts(least, config)
        missing = window + horizon - (least - test - valid)
        if missing <= 0 and least > rows:
            break
        # Fewer cannot be enough, as with each row at most one more trains. More may be needed:
        # some of them validate, or are the back-test's.
        least += max(missing, 1)
    seen = "one row to forecast from" if window == 1 else f"a window of {window}"
    parts = [f"{seen} and a horizon of {horizon}"]
    if valid:
        parts.append(f"{valid} rows that validate")
    if folds:
        parts.append(f"{folds} forecasts of the back-test")
    raise ConfigError(f"{one.name}: too short: {', '.join(parts)} need {least} rows, got {rows}")
