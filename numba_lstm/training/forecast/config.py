"""Every option of ``train forecast`` in one place: its default, its bounds, its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..runs.options import option
from ..runs.table_options import TABLE_OPTIONS, TableOptions

__all__ = ["BUNDLED", "READING", "ForecastConfig"]

#: What ``data`` may name instead of a file.
BUNDLED = "seattle-weather"
#: What says how a table is read; it is kept with the run, and may be told anew of another file.
READING = ("time", "id", *TABLE_OPTIONS)

DEFAULT_EPOCHS, PATIENCE, VALID_FRACTION = 100, 10, 0.2


@dataclass(frozen=True, kw_only=True)
class ForecastConfig(TableOptions):
    """The options of one run of ``train forecast``, checked.

    Raises
    ------
    ConfigError
        When a value has the wrong type or is out of bounds, or when two options exclude each
        other. The message names the option, what was expected and what came.
    """

    kind = "forecast"
    otherwise: ClassVar[Mapping[str, Any]] = {
        "epochs": DEFAULT_EPOCHS,
        "valid_fraction": VALID_FRACTION,
    }

    data: str | None = option(
        None,
        str,
        "A table with a row for each time: .csv or .parquet; or 'seattle-weather', which comes "
        "with the package.",
        also="csv",
    )
    time: str | None = option(None, str, "The column of the time.")
    target: str | tuple[str, ...] | None = option(
        None,
        str,
        "A column to forecast; may be given several times.",
        several="names of columns",
    )
    exog: str | tuple[str, ...] | None = option(
        None,
        str,
        "A column that helps, of which only the past is known; may be given several times.",
        several="names of columns",
    )
    known: str | tuple[str, ...] | None = option(
        None,
        str,
        "A column that helps and is known ahead, such as a holiday; may be given several times.",
        several="names of columns",
    )
    id: str | None = option(
        None, str, "The column that tells several series of one table apart; all train one model."
    )
    gaps: str = option(
        "few",
        str,
        "Missing rows and values: refused; filled where they are at most a tenth, or however many; "
        "or each row taken for a step, whatever the time between.",
        choices=("error", "few", "fill", "steps"),
    )
    horizon: int | None = option(None, int, "How many steps ahead to forecast.", low=1)
    window: int | None = option(
        None,
        int,
        "Rows that a forecast is made from (default: two seasons, twice the horizon, at least 28, "
        "where the series are long enough).",
        low=1,
    )
    folds: int | None = option(
        None,
        int,
        "Forecasts of the back-test, one behind the other at the end of each series, which nothing "
        "else is trained or validated on; 0 for none (default: a fifth of the rows, at most 20).",
        low=0,
    )
    valid_fraction: float | None = option(
        None,
        float,
        "Part of the rows before the back-test to validate on, the last ones; 0 for none "
        f"(default {VALID_FRACTION}).",
        low=0.0,
        high=0.9,
    )
    deseasonalize: bool = option(
        True,
        bool,
        "Take out what comes again each day, week and year, where the rows that train show it.",
    )
    normalize: str = option(
        "auto",
        str,
        "Whether a network sees what is to be forecast less its last value, as a trend wants it; "
        "auto has networks of both kinds.",
        choices=("auto", "last", "none"),
    )
    networks: int = option(2, int, "Networks of each kind, which are trained together.", low=1)
    linear: bool = option(
        True,
        bool,
        "Put a linear forecaster beside the networks of each kind; what validates weighs them all.",
    )
    loss: str = option(
        "huber",
        str,
        "What is minimised, on scaled values; with quantile the ends of the intervals are learnt, "
        "too.",
        choices=("huber", "mse", "mae", "quantile"),
    )
    level: float = option(
        0.9, float, "The share of the truth that intervals should hold.", above=0.0, high=0.999
    )
    cell: str = option("lstm", str, "The layers' kind.", choices=("lstm", "gru", "rnn"))
    hidden: int = option(32, int, "Hidden units of each recurrent layer.", low=1)
    layers: int = option(1, int, "Recurrent layers.", low=1)
    dropout: float = option(
        0.0,
        float,
        "Probability to drop a unit between layers and before the output.",
        low=0.0,
        high=1.0,
    )
    input_dropout: float = option(
        0.0, float, "Probability to drop a column at all steps.", low=0.0, high=1.0
    )
    recurrent_dropout: float = option(
        0.0, float, "Probability to drop a unit of the state at all steps.", low=0.0, high=1.0
    )
    batch: int = option(32, int, "Windows trained side by side.", low=1)
    lr: float = option(2e-3, float, "Highest learning rate.", above=0.0)
    schedule: str = option(
        "constant",
        str,
        "How the learning rate falls over the run.",
        choices=("constant", "cosine"),
    )
    patience: int | None = option(
        None,
        int,
        f"Stop after so many validations in a row without a better one (default {PATIENCE} where "
        "there are rows that validate).",
        low=1,
    )
    epochs: int | None = option(
        None, int, f"Train for this many passes over the data (default {DEFAULT_EPOCHS}).", low=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience is None and self.valid_fraction:
            object.__setattr__(self, "patience", PATIENCE)

    @property
    def kinds(self) -> tuple[str | None, ...]:
        """What networks and linear forecasters there are, as `models.Forecaster` normalizes."""
        return {"auto": (None, "last"), "last": ("last",), "none": (None,)}[self.normalize]

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The quantiles that are learnt; the median alone where no intervals are."""
        if self.loss != "quantile":
            return (0.5,)
        tail = (1.0 - self.level) / 2.0
        return (tail, 0.5, 1.0 - tail)
