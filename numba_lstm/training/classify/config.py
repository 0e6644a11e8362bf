"""Every option of ``train classify`` in one place: its default, its bounds, its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..runs.options import BUDGETS, option
from ..runs.table_options import TABLE_OPTIONS, TableOptions

__all__ = ["READING", "ClassifyConfig"]

#: What says how a table is read; it is kept with the run.
READING = ("id", "label", "time", *TABLE_OPTIONS)

DEFAULT_EPOCHS = 50


@dataclass(frozen=True, kw_only=True)
class ClassifyConfig(TableOptions):
    """The options of one run of ``train classify``, checked.

    Raises
    ------
    ConfigError
        When a value has the wrong type or is out of bounds, or when two options exclude each
        other. The message names the option, what was expected and what came.
    """

    kind = "classify"
    may_change = TableOptions.may_change | {"test"}
    groups = (BUDGETS, ("test", "test_fraction"))
    otherwise: ClassVar[Mapping[str, Any]] = {"epochs": DEFAULT_EPOCHS, "valid_fraction": 0.1}

    data: str | None = option(
        None,
        str,
        "The sequences and their labels: a long table (.csv or .parquet, a row for each step), an "
        ".npz with x and y, or a .ts; or 'japanese-vowels', which come with sktime.",
    )
    id: str | None = option(
        None, str, "In a table, the column that says which sequence a row belongs to."
    )
    label: str | None = option(None, str, "In a table, the column of the label.")
    time: str | None = option(
        None, str, "In a table, the column that the steps are sorted by (default: as they stand)."
    )
    test: str | None = option(None, str, "Another such file, to measure the best model on.")
    test_fraction: float | None = option(
        None, float, "Part of each class to measure the best model on.", low=0.0, high=0.9
    )
    valid_fraction: float | None = option(
        None,
        float,
        "Part of each class's training sequences to validate on; 0 for none (default 0.1).",
        low=0.0,
        high=0.9,
    )
    scale: str = option(
        "standard",
        str,
        "Bring each column to mean 0 and deviation 1 over the training part, or leave it.",
        choices=("standard", "none"),
    )
    cell: str = option("lstm", str, "The layers' kind.", choices=("lstm", "gru", "rnn"))
    hidden: int = option(64, int, "Hidden units of each recurrent layer.", low=1)
    layers: int = option(1, int, "Recurrent layers.", low=1, high=1000)
    bidirectional: bool = option(False, bool, "Read each sequence from its end, too.")
    pooling: str = option(
        "last",
        str,
        "What of a sequence is classified: its last state, or the mean or the maximum of all.",
        choices=("last", "mean", "max"),
    )
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
    batch: int = option(32, int, "Sequences trained side by side.", low=1)
    lr: float = option(5e-3, float, "Highest learning rate.", above=0.0)
    epochs: int | None = option(
        None, int, f"Train for this many passes over the data (default {DEFAULT_EPOCHS}).", low=1
    )
    log_every: int = option(20, int, "Log each so many steps.", low=1)
