"""``numba-lstm evaluate``: how well a model predicts a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._errors import bad_input
from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json
from ._paths import FILE, FOLDER

if TYPE_CHECKING:
    import numpy as np


@click.command(
    help="Measure how well the model of a RUN predicts a text, each token from all before it."
)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "--data",
    type=FILE,
    metavar="FILE",
    help="A text file, or 'shakespeare' (default: the text that the run validates on).",
)
@threads_option
@json_option
def evaluate(run: str, data: str | None, threads: int | None, as_json: bool) -> None:
    """Measure a model on a text."""
    set_threads(threads)
    with bad_input():
        from ..training.data import load_data, read_text
        from ..training.evaluation import evaluate as measure
        from ..training.loading import load

        loaded = load(run)
        model, vocabulary, config = loaded.model, loaded.vocabulary, loaded.config
        if data is None:
            tokens = load_data(config, vocabulary.to_json()).valid
            if tokens is None:
                raise ValueError("data: expected a text file, for the run validates on nothing")
        else:
            tokens = _encode(vocabulary, read_text(data), data)
    announce_compiling(lambda line: click.echo(line, err=True))
    result = measure(model, tokens, config.batch, config.seq_len)
    figures = {
        "loss": result.loss,
        "perplexity": result.perplexity,
        "bits_per_token": result.bits_per_token,
        "tokens": result.tokens,
    }
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        click.echo(f"{name:<15}{value:>12}" if name == "tokens" else f"{name:<15}{value:>12.4f}")


def _encode(vocabulary: Any, text: str, data: str) -> np.ndarray:
    try:
        tokens = vocabulary.encode(text)
    except ValueError as error:
        raise ValueError(f"data: {data}: {error}") from None
    if tokens.size < 2:
        raise ValueError(f"data: {data}: too short: expected at least 2 tokens, got {tokens.size}")
    return tokens
