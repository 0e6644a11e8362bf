"""What commands do with a run of ``train classify``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..training.classify.config import READING, ClassifyConfig
from ._errors import bad_input
from ._kernels import announce_compiling
from ._output import print_json, print_notes
from ._text import printable
from ._training import config_options
from ._unfinished import not_ended

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "confusion_table",
    "evaluate_classifier",
    "given_options",
    "predict_classes",
    "table_options",
]


def table_options(labelled: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of how a table is read; those not given are as in the run."""
    only = [name for name in READING if labelled or name != "label"]
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
        unfinished = not_ended(run)
    print_notes([*part.notes, *unfinished])
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


def predict_classes(
    run: str, source: str, table: dict[str, Any]
) -> tuple[str, dict[str, Any], str]:
    """Classify a file's sequences: a table as text, and what of it is told in JSON and in words."""
    with bad_input():
        from ..training.classify.data import read_part
        from ..training.classify.session import load_classifier

        loaded = load_classifier(run)
        part = read_part(source, loaded.config, loaded.meaning, "input", False, table)
        unfinished = not_ended(run)
    print_notes([*part.notes, *unfinished])
    announce_compiling(lambda line: click.echo(line, err=True))
    from ..training.classify.task import classify

    shares = _softmax(classify(loaded.model, part))
    classes = loaded.meaning.classes
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow(["id", "predicted", *(f"probability_{name}" for name in classes)])
    for name, row in zip(part.ids, shares):
        written.writerow([name, classes[int(row.argmax())], *(f"{share:.6g}" for share in row)])
    found = shares.argmax(axis=1)
    counts = {name: int((found == k).sum()) for k, name in enumerate(classes)}
    about = {"sequences": len(part), "predicted": counts}
    return text.getvalue(), about, f"{len(part)} sequences"


def _softmax(logits: np.ndarray) -> np.ndarray:
    import numpy as np

    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def confusion_table(confusion: list[list[int]], classes: Any) -> str:
    """Rows of true classes against columns of found ones, as text."""
    names = [printable(name) for name in classes]
    rows = [["true / found", *names]]
    rows += [[name, *map(str, counts)] for name, counts in zip(names, confusion)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows
    )
