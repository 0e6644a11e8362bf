"""What all vocabularies share: a table of distinct tokens, and how a text becomes ids of them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

import numpy as np

from ..checks import choice
from .words import UNKNOWN

__all__ = ["POLICIES", "TokenTable", "check_text"]

#: What may become of a part of a text that the vocabulary lacks: it is refused, it is left out, or
#: it becomes the token for the unknown.
POLICIES = ("error", "skip", "token")


class TokenTable:
    """A tuple of distinct tokens; a subclass says how a text is cut into them.

    Parameters
    ----------
    tokens
        Strings, all different.

    Raises
    ------
    TypeError, ValueError
        Not such a sequence.
    """

    level = ""
    #: The token that ends a line.
    LINE_END = "\n"

    def __init__(self, tokens: Any) -> None:
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

    @property
    def line_end_id(self) -> int | None:
        """The id that ends a line, None if the vocabulary has no such token."""
        return self._ids.get(self.LINE_END)

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned dtype that `encode` can write the ids in."""
        return np.min_scalar_type(len(self))

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenTable):
            return NotImplemented
        return self.level == other.level and self._tokens == other._tokens

    def __hash__(self) -> int:
        return hash((self.level, self._tokens))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"

    def encode(self, text: str, unknown: str | None = None, dtype: Any = np.int64) -> np.ndarray:
        """Return the ids of a text, (N,).

        Parameters
        ----------
        text
            Any text, also an empty one.
        unknown
            What becomes of what the vocabulary lacks: ``"error"`` refuses the text, ``"skip"``
            leaves it out, ``"token"`` puts ``"<unk>"`` in its place. None is ``"token"`` where the
            vocabulary has that token, else ``"error"``.
        dtype
            An integer dtype; `dtype` is the smallest that will do.

        Raises
        ------
        TypeError, ValueError
            An argument of the wrong kind; something that is not in the vocabulary, named with its
            place; ``"token"`` without such a token.
        """
        return self.encode_counted(text, unknown, dtype)[0]

    def encode_counted(
        self, text: str, unknown: str | None = None, dtype: Any = np.int64
    ) -> tuple[np.ndarray, int]:
        """Return what `encode` does, and how many characters or words were left out."""
        check_text(text)
        dtype = np.dtype(dtype)
        absent = len(self)
        if dtype.kind not in "iu" or np.iinfo(dtype).max < absent:
            raise ValueError(f"dtype: expected integers of at least {self.dtype}, got {dtype}")
        unknown_id = self.unknown_id
        if unknown is None:
            unknown = "error" if unknown_id is None else "token"
        if choice("unknown", unknown, POLICIES) == "token":
            if unknown_id is None:
                raise ValueError(
                    "unknown: expected error or skip, because the vocabulary has no token for "
                    "the unknown; got token"
                )
            return self._lookup(text, unknown_id, dtype), 0
        ids = self._lookup(text, absent, dtype)
        if ids.size == 0 or ids.max() < absent:
            return ids, 0
        if unknown == "error":
            what, place = self._find_absent(text)
            line = text.count("\n", 0, place) + 1
            column = place - text.rfind("\n", 0, place)
            raise ValueError(
                f"text: {what} at position {place} (line {line}, column {column}) is not in the "
                f"vocabulary of {len(self)} {self._unit}s"
            )
        kept = ids[ids != absent]
        return kept, ids.size - kept.size

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

    # -- what a subclass says -----------------------------------------------------------------

    #: What one token is called in messages.
    _unit = "word"

    def _lookup(self, text: str, absent: int, dtype: np.dtype) -> np.ndarray:
        """The ids of a text, `absent` for what is not in the vocabulary."""
        raise NotImplementedError

    def _find_absent(self, text: str) -> tuple[str, int]:
        """What the vocabulary lacks first, in words, and its place in a text that has such."""
        raise NotImplementedError


def check_text(text: Any) -> None:
    """Raise TypeError unless `text` is a str."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {type(text).__name__}")


def frequent(counts: Counter[str], always: tuple[str, ...], min_count: int) -> list[str]:
    """The tokens that occur often enough, `always` first, the others by falling frequency."""
    for token in always:
        counts.pop(token, None)
    enough = [token for token, count in counts.items() if count >= min_count]
    enough.sort(key=lambda token: (-counts[token], token))
    return [*always, *enough]


def _strings(tokens: Any) -> tuple[str, ...]:
    if isinstance(tokens, str) or not hasattr(tokens, "__iter__"):
        raise TypeError(f"tokens: expected a list of str, got {type(tokens).__name__}")
    strings = tuple(tokens)
    for token in strings:
        if not isinstance(token, str):
            raise TypeError(f"tokens: expected a list of str, got one of {type(token).__name__}")
    return strings
