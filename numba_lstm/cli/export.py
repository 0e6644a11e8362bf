"""``numba-lstm export``: a run's model as a file that other programs read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ._errors import BadInput, bad_input
from ._output import json_option, print_json
from ._paths import FILE, FOLDER, check_output

_FORMATS = ("safetensors", "onnx")


@click.command(help="Write the model of a RUN to the file OUT, for other programs.")
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
        from ..training.loading import load

        model = load(run).model
    try:
        with bad_input():
            {"safetensors": _safetensors, "onnx": _onnx}[kind](model, out)
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


def _safetensors(model: Any, out: str) -> None:
    from ..interop import safetensors

    safetensors.save(model.state_dict(), out)


def _onnx(model: Any, out: str) -> None:
    # It needs a package that may not be there; its ImportError says what to install.
    from ..interop import onnx

    onnx.save(model, out)
