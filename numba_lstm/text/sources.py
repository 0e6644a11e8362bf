"""Where text comes from, as people name it: files, folders, standard input, the bundled plays.

A file's name may be bytes that are no UTF-8. Python has such a name as text with lone surrogates,
which neither TOML nor JSON can hold; `portable_name` writes it as a ``file:`` URI, and whatever
takes a name takes such a URI.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes

from .corpus import load_text, read_stream, shakespeare

__all__ = [
    "BUNDLED",
    "STANDARD_INPUT",
    "absolute_name",
    "path_of",
    "portable_name",
    "read_sources",
]

#: The name of the text that comes with the package.
BUNDLED = "shakespeare"
#: The name of what is piped in.
STANDARD_INPUT = "-"
_URI = "file://"


def read_sources(names: Sequence[str]) -> str:
    """Read one text of several sources, one after the other.

    Parameters
    ----------
    names
        Each a UTF-8 text file; a folder, of which all ``*.txt`` are read, sorted by name; ``"-"``,
        standard input; or ``"shakespeare"``, the bundled plays (a file of that name is
        ``"./shakespeare"``). Where a text does not end in a newline and another follows it, one is
        put between them.

    Raises
    ------
    OSError
        A file that is missing or cannot be read.
    ValueError
        What is read is no text, as `load_text` says; a folder without texts; standard input named
        twice.
    """
    if list(names).count(STANDARD_INPUT) > 1:
        raise ValueError("-: expected once, because standard input can be read once")
    texts = [text for name in names for text in _read(name)]
    if len(texts) == 1:
        return texts[0]
    closed = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]]
    return "".join([*closed, texts[-1]])


def absolute_name(name: str) -> str:
    """The name by which the same source is found from any folder."""
    if name in (BUNDLED, STANDARD_INPUT) or name.startswith(_URI):
        return name
    return portable_name(str(Path(name).absolute()))


def portable_name(name: str) -> str:
    """The name itself, or a URI where it is not made of Unicode characters."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return Path(name).absolute().as_uri()
    return name


def path_of(name: str) -> Path:
    """The file or folder of a name, which may be the URI that `portable_name` gave."""
    if name.startswith(_URI):
        return Path(os.fsdecode(unquote_to_bytes(name[len(_URI) :])))
    return Path(name)


def _read(name: str) -> list[str]:
    if name == BUNDLED:
        return [shakespeare()]
    if name == STANDARD_INPUT:
        if sys.stdin is None:
            raise ValueError("standard input: expected text, got an input that is closed")
        return [read_stream(sys.stdin.buffer, "standard input")]
    path = path_of(name)
    if not path.is_dir():
        return [load_text(path)]
    files = sorted(file for file in path.iterdir() if file.suffix == ".txt" and file.is_file())
    if not files:
        raise ValueError(f"{path}: expected a text file or a folder of *.txt files, got none")
    return [load_text(file) for file in files]
