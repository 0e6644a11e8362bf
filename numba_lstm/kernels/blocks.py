"""How rows and panels are cut into blocks and shared out among threads."""

from __future__ import annotations

from ..jit import kernel
from ..simd import TARGET

MR = TARGET.blocking.mr
# Panels that are run at once for 1, 2, … rows; one panel from there on.
_WIDE = tuple(max(1, nv // 4) for nv in TARGET.blocking.wide)
_WIDE_1, _WIDE_2, _WIDE_3 = (*_WIDE, 1, 1, 1)[:3]


@kernel
def row_block(left):
    """Rows in the next block when `left` rows are left: MR, and the last two blocks evenly.

    7 rows as 4 + 3 rather than 6 + 1: a block of one row runs at the speed of its loads.
    """
    if left <= MR:
        return left
    if left < 2 * MR:
        return (left + 1) // 2
    return MR


@kernel
def panels_at_once(m, left):
    """How many panels a block of `m` rows runs side by side when `left` panels are left.

    A few rows alone have too few accumulators to hide the latency of an FMA.
    """
    if m == 1 and left >= _WIDE_1:
        return _WIDE_1
    if m == 2 and left >= _WIDE_2:
        return _WIDE_2
    if m == 3 and left >= _WIDE_3:
        return _WIDE_3
    return 1


@kernel
def first(part, parts, total):
    """Where share `part` of `parts` begins in 0 … total."""
    return part * total // parts
