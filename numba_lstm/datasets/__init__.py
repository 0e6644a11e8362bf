"""Data from files: tables, sequences with classes or targets, time series; what judges forecasts.

CSV, ``.npz`` and sktime's ``.ts`` need NumPy only; Parquet needs the extra ``tables``. What was
inferred stands in the `notes` of what is read; nothing that may mean two things is guessed.

>>> weather = load_seattle_weather()
>>> result = backtest(baselines.seasonal_naive(1), weather, horizon=7, folds=20)
>>> round(result.measures["mae"], 2), weather.frequency.words
(3.12, '1 day')
"""

from __future__ import annotations

from . import baselines, metrics
from .bundled import load_japanese_vowels, load_seattle_weather
from .calendars import calendar, with_calendar
from .frequency import Frequency, find_frequency
from .read_sequences import read_sequences
from .read_series import read_series
from .read_table import read_table
from .regularity import missing_times, regular
from .rolling import Backtest, backtest, interval_errors, origins_of
from .scaling import Scaler
from .seasonal import Deseasonalizer
from .sequences import Sequences
from .series import Series
from .series_scaling import SeriesScaler, SeriesScalers
from .table import Table
from .windowing import WindowBatches, Windows, windows

__all__ = [
    "Backtest",
    "Deseasonalizer",
    "Frequency",
    "Scaler",
    "Sequences",
    "Series",
    "SeriesScaler",
    "SeriesScalers",
    "Table",
    "WindowBatches",
    "Windows",
    "backtest",
    "baselines",
    "calendar",
    "find_frequency",
    "interval_errors",
    "load_japanese_vowels",
    "load_seattle_weather",
    "metrics",
    "missing_times",
    "origins_of",
    "read_sequences",
    "read_series",
    "read_table",
    "regular",
    "windows",
    "with_calendar",
]
