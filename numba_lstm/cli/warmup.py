"""``numba-lstm warmup``: compile ahead of time."""

from __future__ import annotations

import time

import click

from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json


@click.command(help="Compile all kernels that `train lm` and `sample` need, once on this machine.")
@threads_option
@json_option
def warmup(threads: int | None, as_json: bool) -> None:
    """Compile ahead of time."""
    set_threads(threads)
    began = time.monotonic()
    announce_compiling(lambda line: click.echo(line, err=True))
    _warm()
    seconds = time.monotonic() - began
    if as_json:
        print_json({"seconds": seconds})
    else:
        click.echo(f"kernels are ready ({seconds:.1f} s)")


def _warm() -> None:
    """Two steps, an evaluation and a short sample, of a small model and of the default one.

    The small one stays on one thread, the other one does not: different machine code.
    """
    import numpy as np

    from ..models import generate
    from ..text import CharVocabulary
    from ..training.config import TrainConfig
    from ..training.data import Data
    from ..training.loop import Trainer
    from ..training.session import make_model

    vocabulary = CharVocabulary([chr(code) for code in range(32, 97)])
    small = TrainConfig(steps=1, hidden=16, embedding=8, batch=2, seq_len=4)
    for config in (small, TrainConfig(steps=1)):
        tokens = np.arange(config.batch * config.seq_len + 1) % len(vocabulary)
        model = make_model(config, len(vocabulary))
        Trainer(config, Data(vocabulary, tokens, tokens), model).warm_up()
        list(generate(model, tokens[:2], 2, seed=0))
