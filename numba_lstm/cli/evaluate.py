"""``numba-lstm evaluate``: how well a model predicts a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._errors import bad_input
from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json

if TYPE_CHECKING:
    import numpy as np


@click.command()
@click.argument("run")
@click.option(
    "--data",
    metavar="FILE",
    help="A text file, or 'shakespeare' (default: the text that the run validates on).",
)
@click.option(
    "--streams",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Cut a long text into so many parts, each begun some tokens early: faster, and the loss "
    "hardly differs.",
)
@threads_option
@json_option
def evaluate(run: str, data: str | None, streams: int, threads: int | None, as_json: bool) -> None:
    """Measure how well the model of a RUN predicts a text, each token from all before it.

    The text is read in one pass from its first token to its last. Losses are in nats a token.
    """
    set_threads(threads)
    with bad_input():
        from ..training.checkpoint import Run
        from ..training.data import load_data, read_text
        from ..training.evaluation import evaluate as measure
        from ..training.session import load_model

        folder = Run(run)
        model, vocabulary, config = load_model(folder)
        if data is None:
            tokens = load_data(config, folder.vocabulary()).valid
            if tokens is None:
                raise ValueError("data: expected a text file, for the run validates on nothing")
        else:
            tokens = _encode(vocabulary, read_text(data), data)
    announce_compiling(lambda line: click.echo(line, err=True))
    window = config.batch * config.seq_len
    result = measure(model, tokens, window, streams=streams, unknown_id=vocabulary.unknown_id)
    figures = {
        "loss": result.loss,
        "perplexity": result.perplexity,
        "bits_per_token": result.bits_per_token,
        "tokens": result.tokens,
        "unknown_tokens": result.unknown,
        "unknown_share": result.unknown_share,
        "known_loss": result.known_loss,
    }
    if as_json:
        print_json(figures)
        return
    if vocabulary.unknown_id is None:
        figures = {name: figures[name] for name in list(figures)[:4]}
    for name, value in figures.items():
        click.echo(f"{name:<15}{_number(value):>12}")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _encode(vocabulary: Any, text: str, data: str) -> np.ndarray:
    try:
        tokens = vocabulary.encode(text)
    except ValueError as error:
        raise ValueError(f"data: {data}: {error}") from None
    if tokens.size < 2:
        raise ValueError(f"data: {data}: too short: expected at least 2 tokens, got {tokens.size}")
    return tokens
