"""Vocabularies: text to token ids and back, by characters or by words.

All kinds have the same interface (`Vocabulary` says what it is), cannot be changed once made, and
go into JSON and out again. Memory is what a long text needs: neither building nor encoding ever
holds a Python object for each token.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from ..checks import as_tokens, size
from ..typing import ArrayLike, DTypeLike
from .tokens import TokenTable, check_text, frequent
from .whitespace import WhitespaceVocabulary
from .words import GLUE, UNKNOWN, is_piece, iter_cut, iter_pieces, join, parts, split_pieces

__all__ = [
    "CharVocabulary",
    "Vocabulary",
    "WhitespaceVocabulary",
    "WordVocabulary",
    "vocabulary_from_json",
]


class Vocabulary(Protocol):
    """What every vocabulary offers.

    Attributes
    ----------
    level : str
        ``"char"``, ``"word"`` or ``"whitespace"``.
    tokens : tuple of str
        The token of each id.
    unknown_id : int or None
        The id that stands for what the vocabulary does not have, None if nothing does.
    line_end_id : int or None
        The id of the token that ends a line, None if there is none.
    dtype : numpy.dtype
        The smallest unsigned dtype that `encode` can write the ids in.
    """

    @property
    def level(self) -> str: ...
    @property
    def tokens(self) -> tuple[str, ...]: ...
    @property
    def unknown_id(self) -> int | None: ...
    @property
    def line_end_id(self) -> int | None: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __len__(self) -> int: ...
    def encode(
        self, text: str, unknown: str | None = None, dtype: DTypeLike = np.int64
    ) -> np.ndarray: ...
    def encode_counted(
        self, text: str, unknown: str | None = None, dtype: DTypeLike = np.int64
    ) -> tuple[np.ndarray, int]: ...
    def decode(self, ids: ArrayLike, previous: int | None = None) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


class CharVocabulary(TokenTable):
    """The characters (Unicode code points) of a text, in code point order.

    Parameters
    ----------
    tokens
        Single characters, all different; the first may be ``"<unk>"`` instead.

    Raises
    ------
    TypeError, ValueError
        Not such a sequence.

    Examples
    --------
    >>> vocabulary = CharVocabulary.build("to be")
    >>> vocabulary.tokens
    (' ', 'b', 'e', 'o', 't')
    >>> vocabulary.encode("bee").tolist(), vocabulary.decode([1, 2])
    ([1, 2, 2], 'be')
    """

    level = "char"
    _unit = "character"

    def __init__(self, tokens: Iterable[str]) -> None:
        super().__init__(tokens)
        known = self._tokens[1:] if self._tokens[:1] == (UNKNOWN,) else self._tokens
        for token in known:
            if len(token) != 1:
                raise ValueError(f"tokens: expected single characters, got {token!r}")
        if not known:
            raise ValueError("tokens: expected at least one character, got none")
        # U+FFFD is Unicode's own sign for a character that could not be represented.
        shown = "".join("\ufffd" if token == UNKNOWN else token for token in self._tokens)
        self._characters = _code_points(shown)
        # One entry for each code point up to the greatest, and one for all beyond.
        codes = _code_points("".join(known))
        self._table = np.full(int(codes.max()) + 2, len(self), self.dtype)
        self._table[codes] = np.arange(len(self) - len(known), len(self))

    @classmethod
    def build(cls, text: str, *, unknown: bool = False, min_count: int = 1) -> CharVocabulary:
        """Make the vocabulary of the characters in `text`.

        Parameters
        ----------
        text
            At least one character.
        unknown
            Whether id 0 is ``"<unk>"``, which then stands for every other character. Without it
            they are refused.
        min_count
            Characters that occur less often are left out; more than 1 asks for ``"<unk>"``, too.
        """
        check_text(text)
        min_count = size("min_count", min_count)
        if not text:
            raise ValueError("text: expected at least one character, got an empty text")
        counts = np.zeros(sys.maxunicode + 1, np.int64)
        for first in range(0, len(text), _PART):
            counts += np.bincount(_code_points(text[first : first + _PART]), None, counts.size)
        if counts.max() < min_count:
            raise ValueError(
                f"min_count: expected at most {counts.max()}, as often as the most frequent "
                f"character occurs, got {min_count}"
            )
        characters = [chr(code) for code in np.flatnonzero(counts >= min_count).tolist()]
        return cls([UNKNOWN] * (bool(unknown) or min_count > 1) + characters)

    def _lookup(self, text: str, absent: int, dtype: np.dtype) -> np.ndarray:
        table = self._table.astype(dtype)
        table[self._table == len(self)] = absent
        ids = np.empty(len(text), dtype)
        for first in range(0, len(text), _PART):
            codes = _code_points(text[first : first + _PART])
            ids[first : first + _PART] = table[np.minimum(codes, table.size - 1)]
        return ids

    def _find_absent(self, text: str) -> tuple[str, int]:
        place = next(i for i, character in enumerate(text) if character not in self)
        return f"the character {text[place]!a} (U+{ord(text[place]):04X})", place

    def decode(self, ids: ArrayLike, previous: int | None = None) -> str:
        """Return the text of ids, an unknown character as U+FFFD.

        Parameters
        ----------
        ids
            (N,) integers.
        previous
            Taken for the sake of `WordVocabulary.decode`, and of no influence.

        Raises
        ------
        TypeError, ValueError
            Not such a sequence, or an id that is not below ``len(self)``.
        """
        ids = as_tokens("ids", ids, len(self), ndim=1)
        return self._characters[ids].tobytes().decode(_UTF32, "surrogatepass")


class WordVocabulary(TokenTable):
    r"""The frequent words and punctuation marks of a text.

    How a text is cut, and how spaces are kept without a token for each, is told in
    ``numba_lstm.text.words``. The first four tokens are ``"<unk>"``, ``"<glue>"``, ``" "`` and
    ``"\n"``, the others in order of falling frequency.

    What is lost: a word or sign that the vocabulary does not have is read back as ``"<unk>"``.
    Everything else, each space and newline included, comes back as it was.

    Parameters
    ----------
    tokens
        The four above and then words and single other characters, all different.

    Raises
    ------
    TypeError, ValueError
        Not such a sequence.

    Examples
    --------
    >>> vocabulary = WordVocabulary.build("to be, or not to be")
    >>> vocabulary.tokens[4:]
    ('be', 'to', ',', 'not', 'or')
    >>> vocabulary.decode(vocabulary.encode("not  to exist, or be"))
    'not  to <unk>, or be'
    """

    level = "word"
    #: The tokens that every vocabulary has, at ids 0 to 3.
    ALWAYS = (UNKNOWN, GLUE, " ", "\n")

    def __init__(self, tokens: Iterable[str]) -> None:
        super().__init__(tokens)
        if self._tokens[:4] != self.ALWAYS:
            raise ValueError(
                f"tokens: expected the first four to be {self.ALWAYS}, got {self._tokens[:4]}"
            )
        for token in self._tokens[4:]:
            if not is_piece(token):
                raise ValueError(f"tokens: expected words or single characters, got {token!r}")

    @classmethod
    def build(cls, text: str, *, min_count: int = 1, max_size: int | None = None) -> WordVocabulary:
        """Make a vocabulary of the words and signs in `text`.

        Parameters
        ----------
        text
            At least one character.
        min_count
            Those that occur less often are left out.
        max_size
            The most tokens it may have, the four that it always has included, 5 or more. The
            most frequent stay; of equally frequent ones those that sort first by code points.
        """
        check_text(text)
        min_count = size("min_count", min_count)
        if max_size is not None:
            max_size = size("max_size", max_size, len(cls.ALWAYS) + 1)
        if not text:
            raise ValueError("text: expected at least one character, got an empty text")
        counts: Counter[str] = Counter()
        for part in parts(text):
            counts.update(split_pieces(part))
        return cls(frequent(counts, cls.ALWAYS, min_count)[:max_size])

    def _lookup(self, text: str, absent: int, dtype: np.dtype) -> np.ndarray:
        ids = self._ids
        pieces = iter_cut(text, ids)
        # No text can be cut into UNKNOWN itself: where that comes it stands for another piece.
        return np.fromiter((absent if p == UNKNOWN else ids[p] for p in pieces), dtype)

    def _find_absent(self, text: str) -> tuple[str, int]:
        piece, place = next(found for found in iter_pieces(text) if found[0] not in self)
        return f"the word {piece!a}", place

    def decode(self, ids: ArrayLike, previous: int | None = None) -> str:
        """Return the text of ids.

        Parameters
        ----------
        ids
            (N,) integers.
        previous
            The id before them, None at the start of a text. With it text can be written as it is
            made: ``decode(a + b) == decode(a) + decode(b, previous=a[-1])``.

        Raises
        ------
        TypeError, ValueError
            Not such a sequence, or an id that is not below ``len(self)``.
        """
        ids = as_tokens("ids", ids, len(self), ndim=1)
        before = None
        if previous is not None:
            before = self._tokens[int(as_tokens("previous", previous, len(self), ndim=0))]
        return join([self._tokens[i] for i in ids.tolist()], before)


def vocabulary_from_json(data: Any) -> CharVocabulary | WordVocabulary | WhitespaceVocabulary:
    """Make the vocabulary, of whatever kind, whose `to_json` gave `data`.

    Raises
    ------
    ValueError
        `data` is not what a vocabulary's `to_json` gives.
    """
    kinds = {kind.level: kind for kind in (CharVocabulary, WordVocabulary, WhitespaceVocabulary)}
    level = data.get("level") if isinstance(data, dict) else None
    if not isinstance(level, str) or level not in kinds:
        expected = " or ".join(map(repr, kinds))
        raise ValueError(f"vocabulary: expected a dict with level {expected}, got {level!r}")
    return kinds[level].from_json(data)  # type: ignore[attr-defined]


# Characters are counted and encoded so many at once: their code points take 4 bytes each.
_PART = 1 << 18
_UTF32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"


def _code_points(text: str) -> np.ndarray:
    # Lone surrogates are no text, but Python strings may hold them (file names, for one).
    return np.frombuffer(text.encode(_UTF32, "surrogatepass"), np.uint32)
