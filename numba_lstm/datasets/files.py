"""Text files of data, line by line, in bounded memory; what is no such file is refused in words."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from .._reading import open_ordinary

__all__ = ["first_bytes", "regular_file", "text_lines"]

#: No line is longer, so that a file without line ends does not fill the memory.
LINE_LIMIT = 2**24

_MARKS = [  # that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
_BINARY = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the sheet as CSV",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"BZh": "a bzip2 archive; unpack it first",
    b"\xfd7zXZ": "an xz archive; unpack it first",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF document",
}


def regular_file(path: str | os.PathLike[str]) -> Path:
    """Give the path of an ordinary file that can be read.

    Raises
    ------
    OSError
        FileNotFoundError, IsADirectoryError or PermissionError, naming the file.
    ValueError
        It is a FIFO, a device or a socket, which may have no end.
    """
    open_ordinary(path).close()
    return Path(path)


def first_bytes(file: Path, count: int = 8) -> bytes:
    """The first bytes of a file, which tell what it is."""
    with open(file, "rb") as stream:
        return stream.read(count)


def text_lines(file: Path, encoding: str | None = None) -> Iterator[str]:
    r"""Yield the lines of a text file, each with its end ("\n", "\r\n" or "\r").

    Parameters
    ----------
    file
        An ordinary file.
    encoding
        By default UTF-8, or what a byte-order mark says.

    Raises
    ------
    ValueError
        Naming the file and the line: the file is binary or of another encoding, or a line is
        longer than `LINE_LIMIT`.
    """
    start = first_bytes(file)
    for mark, kind in _BINARY.items():
        if start.startswith(mark):
            raise ValueError(f"{file}: expected a text file, got {kind}")
    name = _encoding(file, start, encoding)
    number = 1
    with open(file, encoding=name, newline="") as stream:
        while True:
            try:
                line = stream.readline(LINE_LIMIT + 1)
            except UnicodeError as error:
                raise ValueError(_undecoded(file, name, error)) from None
            if not line:
                return
            if "\0" in line:
                raise ValueError(
                    f"{file}: line {number}: expected text, got a NUL byte: the file is binary, "
                    "or UTF-16 without a mark (encoding='utf-16-le')"
                )
            if len(line) > LINE_LIMIT:
                raise ValueError(
                    f"{file}: line {number}: expected at most {LINE_LIMIT} characters a line"
                )
            yield line
            number += 1


def _encoding(file: Path, start: bytes, encoding: str | None) -> str:
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    if encoding is None:
        return marked or "utf-8"
    try:
        wanted = codecs.lookup(encoding).name
        "".encode(wanted)
    except (LookupError, TypeError):
        raise ValueError(
            f"encoding: expected a name such as 'utf-8' or 'cp1252', got {encoding!r}"
        ) from None
    return marked if marked == "utf-8-sig" and wanted == "utf-8" else wanted


def _undecoded(file: Path, encoding: str, error: UnicodeError) -> str:
    where = ""
    if encoding in ("utf-8", "utf-8-sig"):
        with open(file, "rb") as stream:
            for number in range(1, 2**62):
                line = stream.readline(LINE_LIMIT)
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as found:
                    where = f" line {number}: byte 0x{line[found.start]:02x};"
                    break
                if not line:
                    break
        hint = "say which encoding it has, such as encoding='cp1252'"
        return f"{file}:{where} expected UTF-8; {hint}"
    return f"{file}: expected {encoding}: {error}"
