"""``numba-lstm warmup``: compile ahead of time."""

from __future__ import annotations

import time

import click

from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json

_HELP = """Compile the kernels that the other commands and the estimators need, once on a machine.

Covered are language models, classifiers, regressors and forecasters of any size, with layers,
directions, pooling and dropouts of any kind; all losses and optimizers. Other modules used from
Python are compiled at first use; numba_lstm.warmup(module, x) does that beforehand.
"""


@click.command(help=_HELP)
@click.option(
    "--cell",
    "cells",
    type=click.Choice(("lstm", "gru", "rnn")),
    multiple=True,
    default=("lstm",),
    show_default=True,
    help="The layers' kind; may be given several times.",
)
@click.option(
    "--dtype",
    type=click.Choice(("float32", "float64")),
    default="float32",
    show_default=True,
    help="The type of all numbers.",
)
@threads_option
@json_option
def warmup(cells: tuple[str, ...], dtype: str, threads: int | None, as_json: bool) -> None:
    """Compile ahead of time."""
    from .. import ahead

    set_threads(threads)
    began = time.monotonic()
    announce_compiling(lambda line: click.echo(line, err=True))
    ahead.warmup(cells=cells, dtype=dtype)
    seconds = time.monotonic() - began
    if as_json:
        print_json({"seconds": seconds, "cells": list(cells), "dtype": dtype})
    else:
        click.echo(f"kernels are ready ({seconds:.1f} s)")
