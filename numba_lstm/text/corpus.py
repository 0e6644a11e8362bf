"""Where text comes from: a file, or the plays that come with the package; and its split in two."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from .. import system
from .._reading import open_ordinary, take
from ..checks import size

__all__ = ["decode_text", "load_text", "read_stream", "shakespeare", "split", "split_place"]

# Bytes, characters and tokens of a text are held at once.
_COPIES = 3


def load_text(path: str | os.PathLike[str]) -> str:
    r"""Read a UTF-8 text file, strictly.

    A byte-order mark at the start is dropped and "\r\n" and "\r" become "\n", as Python's text
    mode has it; nothing else is changed.

    Parameters
    ----------
    path
        The file. "~" is not expanded.

    Returns
    -------
    str
        The text, at least one character.

    Raises
    ------
    OSError
        FileNotFoundError for a missing file, IsADirectoryError for a folder, PermissionError.
    ValueError
        The file is empty, or binary: it has a NUL byte or a byte that is not UTF-8; the message
        names the file, the byte and its offset. Or it is a FIFO, a device or a socket, or does not
        fit in the memory.
    """
    with open_ordinary(path, system.memory() // _COPIES, "a text file") as stream:
        return read_stream(stream, os.fspath(Path(path)))


def read_stream(stream: BinaryIO, name: str) -> str:
    """Read what `load_text` would from a stream, which may have no end; `name` is for messages."""
    return decode_text(take(stream, name, system.memory() // _COPIES, stop=b"\0"), name)


def decode_text(data: bytes | bytearray, name: str) -> str:
    """Return the text of a file's bytes, as `load_text` has it; `name` is for messages."""
    text = _decode(data, name).removeprefix("\ufeff")
    if not text:
        raise ValueError(f"{name}: expected text, got an empty file")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(data: bytes | bytearray, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{name}: expected UTF-8, got a UTF-16 byte-order mark at byte offset 0")
    nul = data.find(b"\0")
    try:
        # A NUL is valid UTF-8 and never occurs in text; whichever fault comes first is named.
        text = (data if nul < 0 else data[:nul]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: expected UTF-8, got byte 0x{data[error.start]:02x} at byte offset "
            f"{error.start} ({error.reason})"
        ) from None
    if nul >= 0:
        raise ValueError(f"{name}: expected text, got binary: a NUL byte at byte offset {nul}")
    return text


def shakespeare() -> str:
    """Return the bundled text: nine plays of Shakespeare, 1,115,130 characters.

    Its alphabet is 65 characters, all ASCII. ``scripts/make_shakespeare.py`` makes it to match
    "tiny Shakespeare" in plays, order, layout, length and alphabet; ``shakespeare.LICENSE`` beside
    it says where it comes from.
    """
    # Imported here because most of those who import the package never read the bundled text.
    import lzma
    from importlib.resources import files

    packed = files(__package__).joinpath("shakespeare.txt.xz").read_bytes()
    return lzma.decompress(packed).decode("ascii")


def split(text: str, valid_fraction: float = 0.1, seq_len: int = 1) -> tuple[str, str]:
    """Cut a text in two: its first part trains, its last part validates.

    Parameters
    ----------
    text
        The text to cut, by characters and in one place, so that the model is judged on what comes
        after all that it has seen.
    valid_fraction
        The share of the last part, greater than 0 and less than 1.
    seq_len
        Both parts must hold at least one sequence of this many characters and its target, which
        is one more.

    Returns
    -------
    train, valid : str
        ``train + valid == text``.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind; or a part too short, naming it, its length and what is
        needed.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {type(text).__name__}")
    cut = split_place(len(text), valid_fraction, seq_len)
    return text[:cut], text[cut:]


def split_place(length: int, valid_fraction: float, seq_len: int = 1) -> int:
    """Where `split` cuts a text of so many characters."""
    if isinstance(valid_fraction, bool) or not isinstance(valid_fraction, int | float):
        raise TypeError(f"valid_fraction: expected a number, got {type(valid_fraction).__name__}")
    if not 0 < valid_fraction < 1:
        raise ValueError(
            f"valid_fraction: expected a number above 0 and below 1, got {valid_fraction}"
        )
    seq_len = size("seq_len", seq_len)
    # 100 * (1 - 0.9) is a little less than 10, which should not cost a character.
    cut = int(round(length * (1 - valid_fraction), 6))
    for name, part in (("training", cut), ("validation", length - cut)):
        if part <= seq_len:
            raise ValueError(
                f"text: too short: of {length} characters {part} are left for {name} at "
                f"valid_fraction={valid_fraction}, expected at least {seq_len + 1} (seq_len + 1)"
            )
    return cut
