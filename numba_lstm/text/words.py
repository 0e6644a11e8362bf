r"""Text as a sequence of pieces, words and all that stands between them, and back again.

A piece is a word (letters, digits and underscores, with apostrophes inside: "know't"), or a single
other character: a punctuation mark, a newline, a space. What Unicode combines with the character
before it belongs to that: an accent written by itself, the vowel signs of Hindi, the points of
Hebrew, joiners. A mark after a blank or at the start of a text is a piece of its own.

Written out like that a third of all pieces would be spaces, so the usual one goes without saying:
between a word and the word or closing mark before it. Where that rule is wrong the sequence says
so. A space that the rule does not foresee stands there as a piece of its own, and `GLUE` stands
where the rule foresees a space that the text does not have.

    "We know't, we know't."  ->  We  know't  ,  we  know't  .
    "half-moon 3.14"         ->  half  -  moon  3  .  GLUE  14

Both directions need only the piece before to treat a piece, so text can be written as it is made.
Nothing is lost: ``join(cut(text)) == text`` for every text.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator

__all__ = [
    "GLUE",
    "UNKNOWN",
    "cut",
    "is_piece",
    "iter_cut",
    "iter_pieces",
    "join",
    "parts",
    "takes_space",
]

#: Stands for no characters, where a space would have been expected.
GLUE = "<glue>"
#: Stands for a piece that a vocabulary does not have. It counts as a word. Neither it nor GLUE
#: can be cut from a text, even one that has these very characters: "<" is a piece of its own.
UNKNOWN = "<unk>"

_CLOSING = frozenset(".,;:?!)")
# A list of all pieces of 50 MB of text would take 700 MB.
_PART = 1 << 18
_BLANK = re.compile(r"\s")


@functools.cache
def _piece() -> re.Pattern[str]:
    """What a piece is. Made at first use: it takes 20 ms, for `re` knows no class of marks."""
    # The guard spares most characters the search among 300 ranges, which took half as long again.
    marks = rf"(?![\0-\u02ff])[{_ranges(_mark_codes())}]+"
    word = rf"\w+(?:{marks}\w*)*"
    return re.compile(rf"{word}(?:['\u2019]{word})*|\s|[^\w\s](?:{marks})?")


def _mark_codes() -> Iterator[int]:
    """The code points that belong to the character before them, in order."""
    # Beyond plane 1 there are variation selectors only.
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)):
        # The zero-width joiners choose how the letters beside them are written: in Persian, say.
        if unicodedata.category(chr(code)).startswith("M") or code in (0x200C, 0x200D):
            yield code


def _ranges(codes: Iterable[int]) -> str:
    """Code points in order as the ranges of a class of characters."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _is_word(piece: str) -> bool:
    return piece == UNKNOWN or piece[0].isalnum() or piece[0] == "_"


def takes_space(before: str | None, piece: str) -> bool:
    """Say whether a space goes without saying between two pieces; None is the text's start."""
    return before is not None and _is_word(piece) and (before in _CLOSING or _is_word(before))


def is_piece(piece: str) -> bool:
    """Say whether `piece` is something that can be cut from a text."""
    return _piece().fullmatch(piece) is not None


def parts(text: str) -> Iterator[str]:
    """Cut a long text after blanks, where no piece is cut, so that not all pieces exist at once."""
    first = 0
    while first < len(text):
        blank = _BLANK.search(text, first + _PART)
        last = blank.end() if blank else len(text)
        yield text[first:last]
        first = last


def iter_pieces(text: str) -> Iterator[tuple[str, int]]:
    """Yield the pieces of a text, each space among them, and where each begins."""
    return ((found.group(), found.start()) for found in _piece().finditer(text))


def split_pieces(text: str) -> list[str]:
    """Cut a text into pieces, each space among them: joined they are the text."""
    return _piece().findall(text)


def cut(text: str, known: Container[str] | None = None) -> list[str]:
    """Cut a text into pieces, the expected spaces left out.

    Parameters
    ----------
    text
        Any text.
    known
        The pieces of a vocabulary, a set or dict; others become `UNKNOWN`. None knows all.

    Returns
    -------
    list of str
        Pieces, with " " and `GLUE` where the rule of the module's description needs them.
    """
    return list(iter_cut(text, known))


def iter_cut(text: str, known: Container[str] | None = None) -> Iterator[str]:
    """Yield what `cut` gives."""
    before: str | None = None
    spaces = 0
    for part in parts(text):
        for raw in split_pieces(part):
            if raw == " ":
                spaces += 1
                continue
            # The rule is asked about what will be read back, which is not what the text had.
            piece = raw if known is None or raw in known else UNKNOWN
            expected = takes_space(before, piece)
            if expected and spaces == 0:
                yield GLUE
            elif spaces > expected:
                yield from " " * spaces
            yield piece
            before, spaces = piece, 0
    yield from " " * spaces


def join(pieces: Iterable[str], before: str | None = None) -> str:
    """Write pieces out as text: the inverse of `cut`.

    Parameters
    ----------
    pieces
        Any sequence of pieces, also one that `cut` would not make.
    before
        The piece that the text so far ends with, None at its start.
    """
    written: list[str] = []
    for piece in pieces:
        if takes_space(before, piece):
            written.append(" ")
        if piece != GLUE:
            written.append(piece)
        before = piece
    return "".join(written)
