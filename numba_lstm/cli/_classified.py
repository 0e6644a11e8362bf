"""``numba-lstm evaluate`` of a classifier."""

from __future__ import annotations

from typing import Any

import click

from ._errors import bad_input
from ._kernels import announce_compiling
from ._output import print_json

__all__ = ["confusion_table", "evaluate_classifier"]


def evaluate_classifier(run: str, data: tuple[str, ...], as_json: bool) -> None:
    """Measure a classifier on a file, or on what its run holds back: the test part, else what
    validates."""
    with bad_input():
        if len(data) > 1:
            raise ValueError(f"data: expected one file of sequences, got {len(data)}")
        from ..training.sequence_data import load_sequences, read_part
        from ..training.sequence_session import load_classifier

        loaded = load_classifier(run)
        if data:
            part = read_part(data[0], loaded.config, loaded.meaning, "data")
        else:
            own = load_sequences(loaded.config, loaded.meaning)
            found = own.test if own.test is not None else own.valid
            if found is None:
                raise ValueError(
                    "data: expected a file, for the run tests and validates on nothing"
                )
            part = found
    announce_compiling(lambda line: click.echo(line, err=True))
    from ..training.sequence_results import as_json as plain
    from ..training.sequence_task import classify_part

    figures = {**plain(classify_part(loaded.model, part)), "classes": loaded.meaning.classes}
    if as_json:
        print_json(figures)
        return
    click.echo(f"loss      {figures['loss']:.4f} nats a sequence")
    click.echo(f"accuracy  {figures['accuracy']:.2%} of {figures['sequences']} sequences")
    click.echo("\n" + confusion_table(figures["confusion"], loaded.meaning.classes))


def confusion_table(confusion: list[list[int]], classes: Any) -> str:
    """Rows of true classes against columns of found ones, as text."""
    rows = [["true / found", *classes]]
    rows += [[name, *map(str, counts)] for name, counts in zip(classes, confusion)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows
    )
