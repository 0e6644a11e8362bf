"""Text given on the command line, whatever the locale is."""

from __future__ import annotations

import os

import click

__all__ = ["TEXT", "printable"]


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


def printable(name: str) -> str:
    """A file's name for a picture, with escapes in the place of bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
