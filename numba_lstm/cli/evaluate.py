"""``numba-lstm evaluate``: how good the model of a run is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._classified import evaluate_classifier, given_options, table_options
from ._errors import bad_input
from ._forecasts import evaluate_forecaster
from ._kernels import announce_compiling, set_threads, threads_option
from ._output import json_option, print_json, print_notes
from ._paths import FILE, FOLDER
from ._text import unknown_option
from ._unfinished import not_ended

if TYPE_CHECKING:
    import numpy as np


_HELP = """Measure how good the model of a RUN is, of train lm, train classify or train forecast.

A language model predicts each token of a text from all before it; the text is read in one pass from
its first token to its last, and losses are in nats a token. A classifier is given a file of
labelled sequences, which is read as the run's own was; losses are in nats a sequence. A forecaster
is back-tested on the end of a file's series, beside a linear model, the last season and the last
value.
"""

_WORDS = {"classify": "classifier", "forecast": "forecaster"}


@click.command(help=_HELP)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "--data",
    type=FILE,
    metavar="FILE",
    multiple=True,
    help="A text file, a folder of *.txt, - for standard input, or 'shakespeare', which may be "
    "given several times; for a classifier a file of sequences, for a forecaster a table of series "
    "(default: what the run holds back to test or to validate on).",
)
@unknown_option("")
@click.option(
    "--streams",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Cut a long text into so many parts, each begun some tokens early: faster, and the loss "
    "hardly differs.",
)
@table_options()
@threads_option
@json_option
def evaluate(
    run: str,
    data: tuple[str, ...],
    unknown: str | None,
    streams: int,
    threads: int | None,
    as_json: bool,
    **table: Any,
) -> None:
    """Measure a model."""
    of_table = given_options(table)
    set_threads(threads)
    with bad_input():
        from ..training.runs.checkpoint import Run

        kind = Run(run).kind.kind
        if kind != "lm":
            for name, given in (("unknown", unknown is not None), ("streams", streams != 1)):
                if given:
                    raise ValueError(
                        f"{name}: expected a run of a language model, got a {_WORDS[kind]}"
                    )
        if kind == "forecast" and "label" in of_table:
            raise ValueError("label: expected a run of a classifier, got a forecaster")
    if kind != "lm":
        of_kind = evaluate_classifier if kind == "classify" else evaluate_forecaster
        of_kind(run, data, of_table, as_json)
        return
    with bad_input():
        if of_table:
            raise ValueError(
                f"{min(of_table)}: expected a run of a classifier or of a forecaster, got one of a "
                "language model"
            )
        from ..training.lm.data import load_data
        from ..training.lm.evaluation import evaluate as measure
        from ..training.lm.loading import load

        loaded = load(run)
        model, vocabulary, config = loaded.model, loaded.vocabulary, loaded.config
        if data:
            tokens, skipped = _read(vocabulary, data, unknown or config.unknown)
        else:
            own = load_data(config, vocabulary, unknown)
            if own.valid is None:
                raise ValueError("data: expected a text file, for the run validates on nothing")
            tokens, skipped = own.valid, own.skipped
        unfinished = not_ended(run)
    print_notes(unfinished)
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
        "skipped": skipped,
    }
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        if vocabulary.unknown_id is None and "known" in name:
            continue
        if name == "skipped" and not skipped:
            continue
        click.echo(f"{name:<15}{_number(value):>12}")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _read(vocabulary: Any, data: tuple[str, ...], unknown: str | None) -> tuple[np.ndarray, int]:
    """The tokens of some texts, and how many characters or words were left out."""
    from ..text import read_sources
    from ..training.lm.config import told
    from ..training.lm.data import encode_text

    source = f"data: {told(data)}"
    tokens, skipped = encode_text(vocabulary, read_sources(data), unknown, source)
    if tokens.size < 2:
        raise ValueError(f"{source}: too short: expected at least 2 tokens, got {tokens.size}")
    return tokens, skipped
