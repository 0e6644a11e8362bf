"""What a run remembers of its text: enough to know it again, also when more stands behind it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["Fingerprint"]

# Characters that are hashed at once: their bytes are a copy.
_PART = 1 << 18


@dataclass(frozen=True)
class Fingerprint:
    """Of a text.

    Attributes
    ----------
    length
        Its characters.
    digest
        SHA-256 of them in UTF-8; ``""`` of no text.
    """

    length: int = 0
    digest: str = ""

    @classmethod
    def of(cls, text: str, length: int | None = None) -> Fingerprint:
        """Take it of a text, or of its first ``length`` characters."""
        length = len(text) if length is None else length
        made = hashlib.sha256()
        for first in range(0, length, _PART):
            part = text[first : min(first + _PART, length)]
            made.update(part.encode("utf-8", "surrogatepass"))
        return cls(length, made.hexdigest())

    def begins(self, text: str) -> bool:
        """Whether a text is this one, or this one and more behind it."""
        return 0 < self.length <= len(text) and Fingerprint.of(text, self.length) == self
