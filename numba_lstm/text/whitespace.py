r"""Text that was cut into tokens before, as the corpora of the literature are.

The Penn Treebank and WikiText come with a blank between all tokens (``do n't``, ``1 @,@ 000``) and
with ``<unk>`` for the words that their makers left out. Perplexities on them are per such token,
and each line, an empty one too, ends in one more token, ``<eos>``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..checks import as_tokens, size
from .tokens import TokenTable, check_text, frequent
from .words import UNKNOWN, parts

__all__ = ["END_OF_LINE", "WhitespaceVocabulary"]

END_OF_LINE = "<eos>"
_TOKEN = re.compile(r"\n|\S+")


class WhitespaceVocabulary(TokenTable):
    r"""What stands between blanks, and ``"<eos>"`` for each line end.

    ``"<unk>"`` in a text is the token for the unknown. The first two tokens are ``"<unk>"`` and
    ``"<eos>"``, the others in order of falling frequency.

    What is lost: how many blanks stand between tokens, and blanks at the ends of a line.

    Parameters
    ----------
    tokens
        The two above and then strings without blanks, all different.

    Raises
    ------
    TypeError, ValueError
        Not such a sequence.

    Examples
    --------
    >>> vocabulary = WhitespaceVocabulary.build(" we do n't <unk> \n we do \n")
    >>> vocabulary.tokens
    ('<unk>', '<eos>', 'do', 'we', "n't")
    >>> vocabulary.encode("we do n't try\n").tolist()
    [3, 2, 4, 0, 1]
    >>> vocabulary.decode([3, 2, 4, 0, 1, 3])
    "we do n't <unk>\nwe"
    """

    level = "whitespace"
    LINE_END = END_OF_LINE
    #: The tokens that every vocabulary has, at ids 0 and 1.
    ALWAYS = (UNKNOWN, END_OF_LINE)

    def __init__(self, tokens: Any) -> None:
        super().__init__(tokens)
        if self._tokens[:2] != self.ALWAYS:
            raise ValueError(
                f"tokens: expected the first two to be {self.ALWAYS}, got {self._tokens[:2]}"
            )
        for token in self._tokens:
            if token == "\n" or not _TOKEN.fullmatch(token):
                raise ValueError(f"tokens: expected strings without blanks, got {token!r}")

    @classmethod
    def build(
        cls, text: str, *, min_count: int = 1, max_size: int | None = None
    ) -> WhitespaceVocabulary:
        """Make a vocabulary of the tokens in `text`; arguments as `WordVocabulary.build` has."""
        check_text(text)
        min_count = size("min_count", min_count)
        if max_size is not None:
            max_size = size("max_size", max_size, len(cls.ALWAYS) + 1)
        if not text:
            raise ValueError("text: expected at least one character, got an empty text")
        counts: Counter[str] = Counter()
        for part in parts(text):
            counts.update(part.split())
        return cls(frequent(counts, cls.ALWAYS, min_count)[:max_size])

    def decode(self, ids: Any, previous: int | None = None) -> str:
        """Return the text of ids: a space between tokens, a newline for ``"<eos>"``.

        Parameters and what it raises are those of `WordVocabulary.decode`.
        """
        ids = as_tokens("ids", ids, len(self), ndim=1)
        starts_line = (
            previous is None
            or self._tokens[int(as_tokens("previous", previous, len(self), ndim=0))] == END_OF_LINE
        )
        written = []
        for i in ids.tolist():
            token = self._tokens[i]
            ends_line = token == END_OF_LINE
            written.append("\n" if ends_line else token if starts_line else " " + token)
            starts_line = ends_line
        return "".join(written)

    def _lookup(self, text: str, absent: int, dtype: np.dtype) -> np.ndarray:
        return np.fromiter((self._ids.get(token, absent) for token in _iter_tokens(text)), dtype)

    def _find_absent(self, text: str) -> tuple[str, int]:
        found = next(found for found in _TOKEN.finditer(text) if _name(found.group()) not in self)
        return f"the word {found.group()!a}", found.start()


def _iter_tokens(text: str) -> Iterator[str]:
    return (_name(token) for part in parts(text) for token in _TOKEN.findall(part))


def _name(token: str) -> str:
    return END_OF_LINE if token == "\n" else token
