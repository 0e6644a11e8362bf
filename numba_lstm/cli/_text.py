"""Text given on the command line, whatever the locale is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from ..training.lm.config import POLICIES

__all__ = ["TEXT", "printable", "unknown_option"]


class _Text(click.ParamType):
    """Text that a terminal sent as UTF-8.

    In the POSIX locale Python may take the arguments for ASCII; each byte of another character then
    comes as a lone surrogate, from which the byte can be told.
    """

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            value.encode("utf-8")
            return value
        except UnicodeEncodeError:
            pass
        try:
            return os.fsencode(value).decode("utf-8")
        except UnicodeError as error:
            self.fail(f"expected UTF-8, got {os.fsencode(value)!r} ({error})", param, ctx)


TEXT = _Text()


def unknown_option(where: str) -> Callable[[Any], Any]:
    """The option ``--unknown`` of a command that encodes a text with a run's vocabulary.

    Parameters
    ----------
    where
        Words that follow "that", for the help.
    """
    return click.option(
        "--unknown",
        type=click.Choice(POLICIES),
        help=f"What becomes of that {where}which the vocabulary lacks: an error, left out, or the "
        "unknown token (default: as the run was told).",
    )


def printable(name: str) -> str:
    """A name on one line: line ends and the like, and bytes that are no UTF-8, become escapes."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in name
    )
