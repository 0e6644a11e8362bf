"""Python's warnings where several ranks run one command: each is shown once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from ..distributed.group import Group

__all__ = ["RankWarnings", "Warned"]


class Warned(NamedTuple):
    """A warning, as a rank tells it: its kind and words, and how Python prints it."""

    kind: str
    words: str
    printed: str


class RankWarnings:
    """Within it rank 0 shows its warnings, and the others keep theirs until the ranks meet.

    Parameters
    ----------
    group : Group
        The ranks.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._kept: dict[tuple[str, str], Warned] = {}
        self._told: set[tuple[str, str]] = set()  # what any rank had when the ranks met
        self._before: Any = None

    def __enter__(self) -> RankWarnings:
        self._before, warnings.showwarning = warnings.showwarning, self._keep
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        warnings.showwarning = self._before

    def _keep(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        """Take the place of Python's `warnings.showwarning`."""
        if self._group.rank == 0 or file is not None:
            self._before(message, category, filename, lineno, file, line)
        if file is None:
            printed = warnings.formatwarning(message, category, filename, lineno, line)
            self._add(Warned(category.__name__, str(message), printed))

    def _add(self, one: Warned) -> None:
        """Keep one of each kind and words: some filters let it come in every step."""
        if one[:2] not in self._told:
            self._kept.setdefault(one[:2], one)

    def kept(self) -> list[Warned]:
        """The warnings since the ranks met, for `show_first`; of rank 0 they were shown already."""
        kept, self._kept = list(self._kept.values()), {}
        return kept

    def tell(self) -> None:
        """Show what another rank has warned of, and rank 0 has not; all ranks must call it."""
        if self._group.size > 1:
            self.show_first(self._group.all_gather(self.kept()))

    def show_first(self, of_ranks: Sequence[Sequence[Warned]]) -> None:
        """Show those of this rank's that no rank before it has.

        Parameters
        ----------
        of_ranks
            What `kept` gave, by rank.
        """
        rank = self._group.rank
        self._told |= {one[:2] for warned in of_ranks for one in warned}
        before = {one[:2] for warned in of_ranks[:rank] for one in warned}
        self.show([one for one in of_ranks[rank] if one[:2] not in before])

    def show(self, warned: Sequence[Warned]) -> None:
        """Show warnings of this rank; rank 0 has shown its own when they came."""
        if self._group.rank and sys.stderr is not None:
            for one in warned:
                click.echo(f"rank {self._group.rank}: {one.printed}", err=True, nl=False)
