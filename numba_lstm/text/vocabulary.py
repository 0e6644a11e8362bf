"""Vocabularies: text to token ids and back, by characters or by words.

Both kinds have the same interface (`Vocabulary` says what it is), cannot be changed once made, and
go into JSON and out again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol, Self

import numpy as np

from ..checks import as_tokens, size
from ..typing import ArrayLike
from .words import GLUE, UNKNOWN, cut, is_piece, join, split_pieces

__all__ = ["CharVocabulary", "Vocabulary", "WordVocabulary", "vocabulary_from_json"]


class Vocabulary(Protocol):
    """What every vocabulary offers.

    Attributes
    ----------
    level : str
        ``"char"`` or ``"word"``.
    tokens : tuple of str
        The token of each id.
    unknown_id : int or None
        The id that stands for what the vocabulary does not have, None if nothing does.
    """

    @property
    def level(self) -> str: ...
    @property
    def tokens(self) -> tuple[str, ...]: ...
    @property
    def unknown_id(self) -> int | None: ...
    def __len__(self) -> int: ...
    def encode(self, text: str) -> np.ndarray: ...
    def decode(self, ids: ArrayLike, previous: int | None = None) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


class _Tokens:
    """What the two kinds share: a tuple of distinct tokens."""

    level = ""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = _strings(tokens)
        self._ids = {token: i for i, token in enumerate(self._tokens)}
        if len(self._ids) != len(self._tokens):
            twice = next(t for t, count in Counter(self._tokens).items() if count > 1)
            raise ValueError(f"tokens: expected distinct ones, got {twice!r} twice")

    @property
    def tokens(self) -> tuple[str, ...]:
        """The token of each id."""
        return self._tokens

    @property
    def unknown_id(self) -> int | None:
        """The id that stands for what is not in the vocabulary, None if nothing does."""
        return self._ids.get(UNKNOWN)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Tokens):
            return NotImplemented
        return self.level == other.level and self._tokens == other._tokens

    def __hash__(self) -> int:
        return hash((self.level, self._tokens))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"

    def to_json(self) -> dict[str, Any]:
        """Return a dict of strings and a list of strings, for `vocabulary_from_json`."""
        return {"level": self.level, "tokens": list(self._tokens)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Make the vocabulary whose `to_json` gave `data`; ValueError if none of this kind did."""
        if not isinstance(data, dict) or data.get("level") != cls.level or "tokens" not in data:
            raise ValueError(f"vocabulary: expected a dict with level {cls.level!r} and 'tokens'")
        try:
            return cls(data["tokens"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"vocabulary: {error}") from None


class CharVocabulary(_Tokens):
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
        # One entry for each code point up to the greatest, and one for all beyond: -1 is unknown.
        codes = _code_points("".join(known))
        self._table = np.full(int(codes.max()) + 2, -1, np.int64)
        self._table[codes] = np.arange(len(self) - len(known), len(self))
        if self.unknown_id is not None:
            self._table[self._table < 0] = self.unknown_id

    @classmethod
    def build(cls, text: str, *, unknown: bool = False) -> CharVocabulary:
        """Make the vocabulary of all characters in `text`.

        Parameters
        ----------
        text
            At least one character.
        unknown
            Whether id 0 is ``"<unk>"``, which then stands for every other character. Without it
            they are refused.
        """
        _check_text(text)
        if not text:
            raise ValueError("text: expected at least one character, got an empty text")
        return cls([UNKNOWN] * bool(unknown) + sorted(set(text)))

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text's characters, (len(text),) int64.

        Raises
        ------
        ValueError
            A character that is not in the vocabulary, named with its place, if there is no
            ``"<unk>"``.
        """
        _check_text(text)
        ids = self._table[np.minimum(_code_points(text), self._table.size - 1)]
        if ids.size and ids.min() < 0:
            self._refuse(text, int(np.argmin(ids)))
        return ids

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

    def _refuse(self, text: str, place: int) -> None:
        line = text.count("\n", 0, place) + 1
        column = place - text.rfind("\n", 0, place)
        raise ValueError(
            f"text: the character {text[place]!a} (U+{ord(text[place]):04X}) at position {place} "
            f"(line {line}, column {column}) is not in the vocabulary of {len(self)} characters"
        )


class WordVocabulary(_Tokens):
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
        _check_text(text)
        min_count = size("min_count", min_count)
        if max_size is not None:
            max_size = size("max_size", max_size, len(cls.ALWAYS) + 1)
        if not text:
            raise ValueError("text: expected at least one character, got an empty text")
        counts = Counter(split_pieces(text))
        for token in cls.ALWAYS:
            counts.pop(token, None)
        enough = [token for token, count in counts.items() if count >= min_count]
        enough.sort(key=lambda token: (-counts[token], token))
        return cls([*cls.ALWAYS, *enough][:max_size])

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, (N,) int64; N is what comes of it, at most ``2 len(text)``."""
        _check_text(text)
        ids = self._ids
        return np.array([ids[piece] for piece in cut(text, ids)], dtype=np.int64)

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


def vocabulary_from_json(data: Any) -> CharVocabulary | WordVocabulary:
    """Make the vocabulary, of either kind, whose `to_json` gave `data`.

    Raises
    ------
    ValueError
        `data` is not what a vocabulary's `to_json` gives.
    """
    kinds = {kind.level: kind for kind in (CharVocabulary, WordVocabulary)}
    level = data.get("level") if isinstance(data, dict) else None
    kind = kinds.get(level) if isinstance(level, str) else None
    if kind is None:
        raise ValueError(f"vocabulary: expected a dict with level 'char' or 'word', got {level!r}")
    return kind.from_json(data)


_UTF32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"


def _code_points(text: str) -> np.ndarray:
    # Lone surrogates are no text, but Python strings may hold them (file names, for one).
    return np.frombuffer(text.encode(_UTF32, "surrogatepass"), np.uint32)


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {type(text).__name__}")


def _strings(tokens: Any) -> tuple[str, ...]:
    if isinstance(tokens, str) or not hasattr(tokens, "__iter__"):
        raise TypeError(f"tokens: expected a list of str, got {type(tokens).__name__}")
    strings = tuple(tokens)
    for token in strings:
        if not isinstance(token, str):
            raise TypeError(f"tokens: expected a list of str, got one of {type(token).__name__}")
    return strings
