"""Rows of a table in groups, one for each id, sorted by time within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Groups", "grouped"]


@dataclass(frozen=True, eq=False)
class Groups:
    """Which rows belong together.

    Attributes
    ----------
    ids
        The groups' names, in the order of their first rows.
    rows
        The rows of each group, by time; without a time in the table's order.
    member
        (N,) the group of each row.
    repeated
        Two rows of one group and one time, the earlier one first; None where there are none.
    """

    ids: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    member: np.ndarray
    repeated: tuple[int, int] | None

    @property
    def moved(self) -> bool:
        """Whether sorting changed the order within a group."""
        return any(np.any(np.diff(rows) < 0) for rows in self.rows)


def grouped(ids: np.ndarray, times: np.ndarray | None) -> Groups:
    """Group rows by `ids` (N,), and sort each group by `times` (N,) where they are given."""
    found, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(found))
    member = rank[inverse]
    keys = (member,) if times is None else (times, member)
    order = np.lexsort(keys)
    bounds = np.searchsorted(member[order], np.arange(1, len(found)))
    repeated = None
    if times is not None:
        before, after = order[:-1], order[1:]
        same = (member[before] == member[after]) & (times[before] == times[after])
        if same.any():
            place = int(np.argmax(same))
            repeated = int(before[place]), int(after[place])
    names = tuple(str(found[i]) for i in np.argsort(first))
    return Groups(names, tuple(np.split(order, bounds)), member, repeated)
