"""The options of the kinds of runs whose data may be a table: how its file is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .options import TrainingOptions, option

__all__ = ["TABLE_OPTIONS", "TableOptions", "listed"]

#: What says how the file of a table is read.
TABLE_OPTIONS = ("dayfirst", "delimiter", "decimal", "encoding")

Options = TypeVar("Options", bound="TableOptions")


@dataclass(frozen=True, kw_only=True)
class TableOptions(TrainingOptions):
    """The options of a kind of run whose data may be a table."""

    dayfirst: bool | None = option(
        None, bool, "Whether the time 01/02/2021 is in February, where the table does not show it."
    )
    delimiter: str | None = option(
        None, str, "What stands between the cells of a .csv (default: it is found)."
    )
    decimal: str | None = option(
        None,
        str,
        "The decimal mark of a .csv (default: each column shows it).",
        choices=(".", ","),
    )
    encoding: str | None = option(
        None, str, "The encoding of a .csv (default: UTF-8, or by its byte-order mark)."
    )

    def of_csv(self) -> dict[str, Any]:
        """How a .csv is read, as `datasets.read_table` takes it."""
        return {name: getattr(self, name) for name in ("delimiter", "decimal", "encoding")}

    def rooted(self: Options, files: tuple[str, ...], bundled: str) -> Options:
        """The same options with files named from the root, but for the name of bundled data."""
        from ...text.sources import path_of, portable_name  # imports NumPy

        changes: dict[str, Any] = {
            name: portable_name(os.path.abspath(path_of(getattr(self, name))))
            for name in files
            if getattr(self, name) not in (None, bundled)
        }
        return replace(self, **changes)


def listed(columns: Sequence[str], most: int = 20) -> str:
    """Names of columns for a note: ``most`` of them, and how many more there are."""
    more = len(columns) - most
    return ", ".join(columns[:most]) + (f" and {more} more" if more > 0 else "")
