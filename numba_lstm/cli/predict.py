"""``numba-lstm predict``: what a model says of new data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._classified import given_options, predict_classes, table_options
from ._errors import bad_input
from ._forecasts import predict_steps
from ._kernels import set_threads, threads_option
from ._output import json_option, print_json
from ._paths import FILE, FOLDER, check_output, check_spares

_HELP = """Classify sequences, or forecast time series, with the model of a RUN.

The file is read as the run's own was: the same columns by name.

A run of train classify needs no labels; what is written is a table with a row for each sequence:
id, predicted, and the probability of each class.

A run of train forecast needs the series up to now, at least a window of each; behind the last row
with a target may stand rows with what is known ahead. What is written is a table with a row for
each step ahead: the id where there are several series, the time, the step, and of each target the
forecast and the ends of its interval. The columns of the file keep their names, and times are
written as the file has them.
"""


@click.command(help=_HELP)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "--input", "source", type=FILE, required=True, metavar="FILE", help="The sequences or series."
)
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
    """Classify sequences, or forecast time series."""
    set_threads(threads)
    with bad_input():
        if output == "-" and as_json:
            raise ValueError("output: expected a file with --json, got - (standard output)")
        if Path(output).suffix.lower() not in ("", ".csv"):
            raise ValueError(f"output: expected a .csv file, got {output!r}")
        from ..training.runs.checkpoint import Run

        opened = Run(run)
        opened.require_kind("classify", "forecast")
        check_output(output, "output")
        check_spares(output, "output", run, source)
    done = predict_steps if opened.kind.kind == "forecast" else predict_classes
    text, about, told = done(run, source, given_options(of_table))
    if output == "-":
        click.echo(text, nl=False)
        return
    from .._files import write_atomic

    with bad_input():
        write_atomic(output, text)
    if as_json:
        print_json({"output": output, **about})
        return
    click.echo(f"wrote {output}: {told}")
