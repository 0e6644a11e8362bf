"""``numba-lstm warmup``: compile ahead of time."""

from __future__ import annotations

import time

import click

from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json

_HELP = """Compile all kernels that `train lm` and `sample` need, once on this machine.

Covered are the defaults, and other sizes, of LSTM language models: embedding, LSTM, dropout, linear
layer, cross entropy, clipping, Adam. Other optimizers and cells, and modules used from Python, are
compiled at first use; numba_lstm.warmup(module, x) does that beforehand.
"""


@click.command(help=_HELP)
@threads_option
@json_option
def warmup(threads: int | None, as_json: bool) -> None:
    """Compile ahead of time."""
    from .. import ahead

    set_threads(threads)
    began = time.monotonic()
    announce_compiling(lambda line: click.echo(line, err=True))
    ahead.warmup()
    seconds = time.monotonic() - began
    if as_json:
        print_json({"seconds": seconds})
    else:
        click.echo(f"kernels are ready ({seconds:.1f} s)")
