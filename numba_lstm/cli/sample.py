"""``numba-lstm sample``: text from a trained model, written as it is made."""

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
@click.option("--prompt", default="", help="The text to go on from; it is printed first.")
@click.option("--length", type=click.IntRange(0), default=500, show_default=True, help="Tokens.")
@click.option(
    "--temperature",
    type=float,
    default=0.8,
    show_default=True,
    help="Below 1 safer, above 1 bolder; 0 always takes the most likely token.",
)
@click.option("--top-k", type=click.IntRange(1), help="Draw among so many likeliest tokens.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@threads_option
@json_option
def sample(
    run: str,
    prompt: str,
    length: int,
    temperature: float,
    top_k: int | None,
    seed: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write text with the model of a RUN."""
    set_threads(threads)
    with bad_input():
        from ..models import generate
        from ..training.checkpoint import Run
        from ..training.session import load_model

        model, vocabulary, _ = load_model(Run(run))
        start = _encode(vocabulary, prompt) if prompt else first_prompt(vocabulary)
        tokens = generate(model, start, length, temperature=temperature, top_k=top_k, seed=seed)
    announce_compiling(lambda line: click.echo(line, err=True))
    previous = int(start[-1])
    pieces = [prompt]
    if not as_json:
        _write(prompt)
    for token in tokens:
        piece = vocabulary.decode([token], previous=previous)
        previous = token
        pieces.append(piece)
        if not as_json:
            _write(piece)
    if as_json:
        print_json({"prompt": prompt, "text": "".join(pieces), "tokens": length, "seed": seed})
    else:
        _write("\n")


def first_prompt(vocabulary: Any) -> np.ndarray:
    """What a text begins after when no prompt is given: a line end, or else the first token."""
    import numpy as np

    token = vocabulary.line_end_id
    if token is None:
        token = 0 if vocabulary.unknown_id is None else 1
    return np.array([token], np.int64)


def _encode(vocabulary: Any, prompt: str) -> np.ndarray:
    try:
        return vocabulary.encode(prompt)
    except ValueError as error:
        raise ValueError(f"prompt: {error}") from None


def _write(text: str) -> None:
    # Flushed each time: people watch it being made, and pipes get it as early.
    click.echo(text, nl=False)
