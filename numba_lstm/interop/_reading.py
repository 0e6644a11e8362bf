"""Opening files of others: those that have an end, and none else."""

from __future__ import annotations

import os
import stat
from typing import IO

__all__ = ["open_regular", "read_regular"]


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file to read bytes; a link to one, too.

    Raises
    ------
    ValueError
        Naming it, if it is a FIFO, a device or a socket: reading those may never end.
    OSError
        If it cannot be opened.
    """
    place = os.fspath(path)
    if "\0" in place:
        raise ValueError(f"path: expected one without NUL characters, got {place!r}")

    def opened(name: str, flags: int) -> int:
        # Without O_NONBLOCK opening a FIFO waits for who writes to it.
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", opener=opened)  # noqa: SIM115 (the caller closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError(f"{place}: expected a regular file, got a FIFO, a device or a socket")
    return file


def read_regular(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Read a whole file, as `open_regular` opens it.

    Raises
    ------
    ValueError, OSError
        As from `open_regular`; or if there are more than `most` bytes, which are not read then.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise ValueError(f"{os.fspath(path)}: expected at most {most} bytes, got {size}")
        return file.read()
