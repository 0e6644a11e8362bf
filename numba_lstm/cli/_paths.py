"""Names of files and folders, which the shell's completion then knows as such.

click checks nothing of them: what is wrong with a file the command says in its own words, by what
it wanted to do with it.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

__all__ = ["FILE", "FOLDER", "check_output", "suffix"]


class _Folder(click.Path):
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="dir")]


FILE = click.Path(readable=False)
FOLDER = _Folder(readable=False)


def check_output(file: str, option: str = "") -> None:
    """Raise ValueError, naming the option, unless a file of this name can be made or replaced.

    ``-`` is standard output.
    """
    place = f"{option}: " if option else ""
    if file == "-":
        return
    if Path(file).is_dir():
        raise ValueError(f"{place}expected a file, got the folder {file!r}")
    if not Path(file).absolute().parent.is_dir():
        raise ValueError(f"{place}expected a file in an existing folder, got {file!r}")


def suffix(file: str) -> str:
    """The kind of picture that a file's name asks for; PNG where it says nothing."""
    return Path(file).suffix.lstrip(".").lower() or "png"
