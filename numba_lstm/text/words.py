r"""Text as a sequence of pieces, words and all that stands between them, and back again.

A piece is a word (letters, digits and underscores, with apostrophes inside: "know't"), or any
single other character: a punctuation mark, a newline, a space. Written out like that a third of
all pieces would be spaces, so the usual one goes without saying: between a word and the word or
closing mark before it. Where that rule is wrong the sequence says so. A space that the rule does
not foresee stands there as a piece of its own, and `GLUE` stands where the rule foresees a space
that the text does not have.

    "We know't, we know't."  ->  We  know't  ,  we  know't  .
    "half-moon 3.14"         ->  half  -  moon  3  .  GLUE  14

Both directions need only the piece before to treat a piece, so text can be written as it is made.
Nothing is lost: ``join(cut(text)) == text`` for every text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["GLUE", "UNKNOWN", "cut", "is_piece", "join", "takes_space"]

#: Stands for no characters, where a space would have been expected.
GLUE = "<glue>"
#: Stands for a piece that a vocabulary does not have. It counts as a word. Neither it nor GLUE
#: can be cut from a text, even one that has these very characters: "<" is a piece of its own.
UNKNOWN = "<unk>"

_PIECE = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w]")
_CLOSING = frozenset(".,;:?!)")


def _is_word(piece: str) -> bool:
    return piece == UNKNOWN or piece[0].isalnum() or piece[0] == "_"


def takes_space(before: str | None, piece: str) -> bool:
    """Say whether a space goes without saying between two pieces; None is the text's start."""
    return before is not None and _is_word(piece) and (before in _CLOSING or _is_word(before))


def is_piece(piece: str) -> bool:
    """Say whether `piece` is something that can be cut from a text."""
    return _PIECE.fullmatch(piece) is not None


def split_pieces(text: str) -> list[str]:
    """Cut a text into pieces, each space among them: joined they are the text."""
    return _PIECE.findall(text)


def cut(text: str, known: Iterable[str] | None = None) -> list[str]:
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
    pieces: list[str] = []
    before: str | None = None
    spaces = 0
    for raw in split_pieces(text):
        if raw == " ":
            spaces += 1
            continue
        # The rule is asked about what will be read back, which is not what the text had.
        piece = raw if known is None or raw in known else UNKNOWN
        expected = takes_space(before, piece)
        if expected and spaces == 0:
            pieces.append(GLUE)
        elif spaces > expected:
            pieces.extend(" " * spaces)
        pieces.append(piece)
        before, spaces = piece, 0
    pieces.extend(" " * spaces)
    return pieces


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
