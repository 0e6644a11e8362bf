"""Names of files and folders, which the shell's completion then knows as such.

click checks nothing of them: what is wrong with a file the command says in its own words, by what
it wanted to do with it.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

__all__ = ["FILE", "FOLDER", "check_output", "check_spares", "suffix"]


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


def check_spares(file: str, option: str, run: str, source: str | None = None) -> None:
    """Raise ValueError, naming the option, where writing a file would destroy what is needed.

    That is the run's own files and the file that is read, by whatever names and links.
    """
    from ..training.runs.checkpoint import Run

    if file == "-":
        return
    if source is not None and _same(file, source):
        raise ValueError(f"{option}: expected another file than the one that is read, got {file!r}")
    for name in Run(run).names():
        if _same(file, os.path.join(run, name)):
            raise ValueError(
                f"{option}: expected another file than the run's own {name}, got {file!r}"
            )


def _same(first: str, second: str) -> bool:
    """Whether two names are of one file, or would be once it is made."""
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    return os.path.exists(first) and os.path.exists(second) and os.path.samefile(first, second)


def suffix(file: str) -> str:
    """The kind of picture that a file's name asks for; PNG where it says nothing."""
    return Path(file).suffix.lstrip(".").lower() or "png"
