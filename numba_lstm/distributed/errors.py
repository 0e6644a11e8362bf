"""What goes wrong between ranks, said by their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = [
    "DistributedError",
    "NonFiniteGradientError",
    "OtherRankError",
    "name_ranks",
    "refuse_other",
]


class DistributedError(RuntimeError):
    """Ranks that train together differ, or one of them failed.

    It is raised on every rank in the same place, so that none waits for another one.
    """


class OtherRankError(DistributedError):
    """What the others raise where a rank failed; that one raises its own error."""


class NonFiniteGradientError(DistributedError, ArithmeticError):
    """A rank brought a gradient that is infinite or not a number."""


def name_ranks(ranks: Iterable[int]) -> str:
    """Name ranks for a message: rank 3, or ranks 0-2, 5."""
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and runs[-1][1] == rank - 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    words = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]
    one = len(runs) == 1 and runs[0][0] == runs[0][1]
    return f"rank{'' if one else 's'} {', '.join(words)}"


def refuse_other(name: str, values: Sequence[str]) -> None:
    """Go on only if what all ranks have, by rank, is the same.

    Raises
    ------
    DistributedError
        Which ranks have what.
    """
    if all(value == values[0] for value in values):
        return
    ranks: dict[str, list[int]] = {}
    for rank, value in enumerate(values):
        ranks.setdefault(value, []).append(rank)
    has = " and ".join(f"{value:.200} on {name_ranks(of)}" for value, of in ranks.items())
    raise DistributedError(f"{name}: expected the same on all ranks, got {has}")
