"""Names that must differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["check_distinct"]


def check_distinct(name: str, values: Sequence[str]) -> None:
    """Raise ValueError, naming the argument and the value, where one value stands twice.

    Parameters
    ----------
    name
        The argument, for the message.
    values
        What must differ.
    """
    twice = next((one for one, count in Counter(values).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{name}: expected different ones, got {twice!r} twice")
