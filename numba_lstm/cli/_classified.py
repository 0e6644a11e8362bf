"""What commands do with a run of ``train classify``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..training.classify.config import TABLE_OPTIONS, ClassifyConfig
from ._errors import bad_input
from ._kernels import announce_compiling
from ._output import print_json, print_notes
from ._text import printable
from ._training import config_options

__all__ = ["confusion_table", "evaluate_classifier", "given_options", "table_options"]


def table_options(labelled: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of how a table is read; those not given are as in the run."""
    only = [name for name in TABLE_OPTIONS if labelled or name != "label"]
    return config_options(ClassifyConfig, {}, only)


def given_options(table: dict[str, Any]) -> dict[str, Any]:
    """Those of `table_options` that are given."""
    return {name: value for name, value in table.items() if value is not None}


def evaluate_classifier(
    run: str, data: tuple[str, ...], table: dict[str, Any], as_json: bool
) -> None:
    """Measure a classifier on a file, or on what its run holds back: the test part, else what
    validates."""
    with bad_input():
        if len(data) > 1:
            raise ValueError(f"data: expected one file of sequences, got {len(data)}")
        if table and not data:
            raise ValueError(f"{min(table)}: expected with a file (--data) only")
        from ..training.classify.data import read_part
        from ..training.classify.session import held_back, load_classifier

        loaded = load_classifier(run)
        if data:
            part = read_part(data[0], loaded.config, loaded.meaning, "data", given=table)
        else:
            found = held_back(loaded)
            if found is None:
                raise ValueError(
                    "data: expected a file, for the run tests and validates on nothing"
                )
            part = found
    print_notes(part.notes)
    announce_compiling(lambda line: click.echo(line, err=True))
    from ..training.classify.results import as_json as plain
    from ..training.classify.task import classify_part

    figures = {**plain(classify_part(loaded.model, part)), "classes": loaded.meaning.classes}
    if as_json:
        print_json(figures)
        return
    click.echo(f"loss      {figures['loss']:.4f} nats a sequence")
    click.echo(f"accuracy  {figures['accuracy']:.2%} of {figures['sequences']} sequences")
    click.echo("\n" + confusion_table(figures["confusion"], loaded.meaning.classes))


def confusion_table(confusion: list[list[int]], classes: Any) -> str:
    """Rows of true classes against columns of found ones, as text."""
    names = [printable(name) for name in classes]
    rows = [["true / found", *names]]
    rows += [[name, *map(str, counts)] for name, counts in zip(names, confusion)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows
    )
