"""How results are printed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import click

from ._text import printable

__all__ = ["json_option", "print_json", "print_notes"]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)


def print_json(result: Mapping[str, Any]) -> None:
    """Print one object on one line; JSON knows no infinity and no NaN, which become null."""
    plain = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in result.items()
    }
    click.echo(json.dumps(plain, allow_nan=False))


def print_notes(notes: Iterable[str]) -> None:
    """Print what was inferred from files on standard error, each note once."""
    for note in dict.fromkeys(notes):
        click.echo(f"note: {printable(note)}", err=True)
