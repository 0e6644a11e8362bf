"""``numba-lstm export``: a run's model as a file that other programs read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ._errors import BadInput, bad_input
from ._output import json_option, print_json, print_notes
from ._paths import FILE, FOLDER, check_output, check_spares
from ._unfinished import not_ended

_FORMATS = ("safetensors", "onnx")


_HELP = """Write the model of a RUN to the file OUT, for other programs.

The file's metadata tell what the model's numbers mean, as JSON: "vocab" is a language model's
vocabulary; "data" names a classifier's columns and classes, and has the mean and scale that bring
each column to what the model takes, (x - mean) / scale; "forecast" has by name all that turns a
table into a forecaster's input and its output into forecasts. All of it stays outside of the model.
"""


@click.command(help=_HELP)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.argument("out", type=FILE, metavar="OUT")
@click.option(
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    help="safetensors: the parameters by torch's names; onnx: the whole model, which needs "
    "numba_lstm[onnx]. By OUT's ending where it is not given.",
)
@json_option
def export(run: str, out: str, kind: str | None, as_json: bool) -> None:
    """Write a run's model to a file."""
    with bad_input():
        kind = kind or _by_ending(out)
        if out == "-":
            raise ValueError("OUT: expected a file's name, got '-'")
        check_output(out, "OUT")
        check_spares(out, "OUT", run)
        model, meaning = _opened(run)
        notes = not_ended(run)
    print_notes(notes)
    try:
        with bad_input():
            {"safetensors": _safetensors, "onnx": _onnx}[kind](model, out, meaning)
    except ImportError as error:
        raise BadInput(str(error)) from None
    about = {"file": out, "format": kind, "bytes": os.path.getsize(out)}
    if as_json:
        print_json(about)
    else:
        click.echo(f"wrote {out} ({kind}, {about['bytes']:,} bytes)")


def _by_ending(out: str) -> str:
    kind = Path(out).suffix.lstrip(".").lower()
    if kind not in _FORMATS:
        raise ValueError(
            f"OUT: expected a name that ends in .{' or .'.join(_FORMATS)}, or --format, got {out!r}"
        )
    return kind


def _opened(run: str) -> tuple[Any, dict[str, str]]:
    """The run's model, and as text by its file's name what its numbers mean.

    Of a language model that is the vocabulary; of a classifier the columns, their scaling, which
    whoever runs the model has to do, and the classes; of a forecaster see `about_forecaster`.
    """
    from ..training import load_classifier, load_forecaster
    from ..training.lm.loading import load
    from ..training.runs.checkpoint import Run

    about = Run(run)
    if about.kind.kind == "forecast":
        from ..training.forecast.exported import about_forecaster
        from ..training.forecast.results import read_results

        forecaster = load_forecaster(run)
        told = about_forecaster(forecaster, read_results(about))
        return forecaster.model, {"forecast": json.dumps(told)}
    openers: dict[str, Callable[[str], Any]] = {
        "lm": load,
        "classify": load_classifier,
    }
    model = openers[about.kind.kind](run).model
    return model, {Path(about.kind.beside).stem: json.dumps(about.beside())}


def _safetensors(model: Any, out: str, meaning: dict[str, str]) -> None:
    from ..interop import safetensors

    safetensors.save(model.state_dict(), out, metadata=meaning)


def _onnx(model: Any, out: str, meaning: dict[str, str]) -> None:
    # It needs a package that may not be there; its ImportError says what to install.
    from ..interop import onnx

    onnx.save(model, out, metadata=meaning)
