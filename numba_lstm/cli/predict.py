"""``numba-lstm predict``: what a model says of new data."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._classified import given_options, table_options
from ._errors import bad_input
from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json, print_notes
from ._paths import FILE, FOLDER, check_output

if TYPE_CHECKING:
    import numpy as np

_HELP = """Classify the sequences of a file with the model of a RUN of train classify.

The file is read as the run's own was: the same columns by name, labels are not needed. What is
written is a table with a row for each sequence: id, predicted, and the probability of each class.
"""


@click.command(help=_HELP)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option("--input", "source", type=FILE, required=True, metavar="FILE", help="The sequences.")
@click.option(
    "--output",
    type=FILE,
    required=True,
    metavar="FILE.csv",
    help="The table to write; - for standard output.",
)
@table_options(labelled=False)
@threads_option
@json_option
def predict(
    run: str, source: str, output: str, threads: int | None, as_json: bool, **of_table: Any
) -> None:
    """Classify sequences."""
    set_threads(threads)
    with bad_input():
        if output == "-" and as_json:
            raise ValueError("output: expected a file with --json, got - (standard output)")
        if Path(output).suffix.lower() not in ("", ".csv"):
            raise ValueError(f"output: expected a .csv file, got {output!r}")
        from ..training.classify.data import read_part
        from ..training.classify.session import load_classifier

        loaded = load_classifier(run)
        part = read_part(
            source, loaded.config, loaded.meaning, "input", False, given_options(of_table)
        )
        check_output(output, "output")
    print_notes(part.notes)
    announce_compiling(lambda line: click.echo(line, err=True))
    from ..training.classify.task import classify

    shares = _softmax(classify(loaded.model, part))
    classes = loaded.meaning.classes
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "predicted", *(f"probability_{name}" for name in classes)])
    for name, row in zip(part.ids, shares):
        table.writerow([name, classes[int(row.argmax())], *(f"{share:.6g}" for share in row)])
    if output == "-":
        click.echo(text.getvalue(), nl=False)
        return
    from .._files import write_atomic

    with bad_input():
        write_atomic(output, text.getvalue())
    found = shares.argmax(axis=1)
    counts = {name: int((found == k).sum()) for k, name in enumerate(classes)}
    if as_json:
        print_json({"output": output, "sequences": len(part), "predicted": counts})
        return
    click.echo(f"wrote {output}: {len(part)} sequences")


def _softmax(logits: np.ndarray) -> np.ndarray:
    import numpy as np

    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
