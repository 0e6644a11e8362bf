"""Reading files that somebody else may have made: ordinary ones, and of a size to be expected.

A FIFO would be waited for, and a device may have no end. A file that is larger than a stated bound
is refused before it is read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_ordinary", "ordinary", "read_bytes", "size_in_words", "take"]

_KINDS = [
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
]
_PART = 1 << 20


def ordinary(path: str | os.PathLike[str], wanted: str = "a file") -> Path:
    """Give the path of an ordinary file, or of a link to one.

    Parameters
    ----------
    path
        The file.
    wanted
        What it should be, in words.

    Raises
    ------
    OSError
        FileNotFoundError, IsADirectoryError or PermissionError, naming the file.
    ValueError
        It is a FIFO, a device or a socket, or no file can have this name.
    """
    file = Path(path)
    try:
        _check_kind(file, file.stat().st_mode, wanted)
    except FileNotFoundError:
        raise FileNotFoundError(f"{file}: no such file") from None
    except PermissionError:
        raise PermissionError(f"{file}: permission denied") from None
    except ValueError as error:
        if "\0" not in str(file):
            raise
        raise ValueError(f"{str(file)!r}: expected {wanted}'s name: {error}") from None
    return file


def open_ordinary(
    path: str | os.PathLike[str], most: int | None = None, wanted: str = "a file"
) -> BinaryIO:
    """Open an ordinary file to be read.

    Parameters
    ----------
    path
        The file.
    most
        Bytes that it may have.
    wanted
        What it should be, in words.

    Raises
    ------
    OSError, ValueError
        As `ordinary`; ValueError also where it is larger.
    """
    file = ordinary(path, wanted)
    try:
        stream = open(file, "rb", opener=_open_without_waiting)  # noqa: SIM115 (for the caller)
    except PermissionError:
        raise PermissionError(f"{file}: permission denied") from None
    try:
        # Another file may have come in its place.
        found = os.fstat(stream.fileno())
        _check_kind(file, found.st_mode, wanted)
        if most is not None and found.st_size > most:
            raise ValueError(too_large(str(file), most, found.st_size))
    except BaseException:
        stream.close()
        raise
    return stream


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """Read an ordinary file of at most so many bytes.

    Raises
    ------
    OSError, ValueError
        As `open_ordinary`.
    """
    with open_ordinary(path, most) as stream:
        return bytes(take(stream, os.fspath(path), most))


def take(stream: BinaryIO, name: str, most: int, stop: bytes | None = None) -> bytearray:
    """Read a stream to its end.

    Parameters
    ----------
    stream
        What may have no end, or grow while it is read.
    name
        Its name, for messages.
    most
        Bytes that it may have.
    stop
        A byte that must not be there: soon after it nothing more is read.

    Raises
    ------
    ValueError
        When there is more.
    """
    data = bytearray()
    while part := stream.read(_PART):
        data += part
        if stop is not None and stop in part:
            break
        if len(data) > most:
            raise ValueError(too_large(name, most))
    return data


def too_large(name: str, most: int, size: int | None = None) -> str:
    """The message on a file that is larger than it may be."""
    came = "more" if size is None else size_in_words(size)
    return f"{name}: expected at most {size_in_words(most)}, got {came}"


def size_in_words(size: int) -> str:
    """A number of bytes in the unit that people read it in."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}".replace(".0 ", " ")
    return f"{size} bytes"


def _open_without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _check_kind(file: Path, mode: int, wanted: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{file}: expected {wanted}, got a folder")
    for matches, kind in _KINDS:
        if matches(mode):
            raise ValueError(f"{file}: expected an ordinary file, got {kind}")
