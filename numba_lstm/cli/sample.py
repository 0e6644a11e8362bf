"""``numba-lstm sample``: text from a trained language model, written as it is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ._errors import bad_input
from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json
from ._paths import FOLDER
from ._text import TEXT, unknown_option

if TYPE_CHECKING:
    import numpy as np


@click.command(help="Write text with the model of a RUN of train lm.")
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "--prompt", type=TEXT, default="", help="The text to go on from; it is printed first."
)
@unknown_option("in the prompt ")
@click.option(
    "--length", type=click.IntRange(0), default=500, show_default=True, help="Tokens at most."
)
@click.option(
    "--temperature",
    type=float,
    default=0.8,
    show_default=True,
    help="Below 1 safer, above 1 bolder; 0 always takes the most likely token.",
)
@click.option("--top-k", type=click.IntRange(1), help="Draw among so many likeliest tokens.")
@click.option(
    "--top-p",
    type=float,
    help="Draw among the fewest likeliest tokens that together have this probability.",
)
@click.option(
    "--stop",
    type=TEXT,
    multiple=True,
    help="End before this text is printed; may be given several times.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@threads_option
@json_option
def sample(
    run: str,
    prompt: str,
    unknown: str | None,
    length: int,
    stop: tuple[str, ...],
    seed: int,
    threads: int | None,
    as_json: bool,
    **drawing: Any,
) -> None:
    """Write text as it is made."""
    set_threads(threads)
    made = _Count()
    with bad_input():
        from ..models import generate
        from ..models.writing import written
        from ..training.lm.loading import load

        loaded = load(run)
        start = _encode(loaded.vocabulary, prompt, unknown or loaded.config.unknown)
        tokens = generate(loaded.model, start, length, **drawing, seed=seed)
        pieces = written(made.of(tokens), loaded.vocabulary, int(start[-1]), stop)
    announce_compiling(lambda line: click.echo(line, err=True))
    if as_json:
        text = prompt + "".join(pieces)
        print_json({"prompt": prompt, "text": text, "tokens": made.count, "seed": seed})
        return
    _write(prompt)
    for piece in pieces:
        _write(piece)
    _write("\n")


class _Count:
    """Counts what passes."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, tokens: Iterator[int]) -> Iterator[int]:
        for token in tokens:
            self.count += 1
            yield token


def _encode(vocabulary: Any, prompt: str, unknown: str | None) -> np.ndarray:
    from ..models.writing import begin
    from ..training.lm.data import encode_text

    tokens, _ = encode_text(vocabulary, prompt, unknown, "prompt")
    return tokens if tokens.size else begin(vocabulary)


def _write(text: str) -> None:
    # Flushed each time: people watch it being made, and pipes get it as early.
    click.echo(text, nl=False)
