"""How rows and panels are cut into blocks and shared out among threads."""

from __future__ import annotations

from ..jit import kernel
from ..simd import TARGET

MR = TARGET.blocking.mr
# How many panels are run at once for a block of 1, 2 and 3 rows; larger blocks run one.
_WIDE = tuple(max(1, nv // 4) for nv in TARGET.blocking.wide)
_WIDE_1, _WIDE_2, _WIDE_3 = (*_WIDE, 1, 1, 1)[:3]


@kernel
def row_block(left):
    """Rows in the next block when `left` rows are left: MR, or an even part of the last two blocks.

    7 rows are 4 + 3 and not 6 + 1, because a block of one row waits for the loads of its weights.
    """
    if left <= MR:
        return left
    if left < 2 * MR:
        return (left + 1) // 2
    return MR


@kernel
def panels_at_once(m, left):
    """How many panels a block of `m` rows runs side by side when `left` panels are left.

    The result is that of one panel after the other, ``z[:, p] = a @ w[p] + b[p]``, to the bit.

    A block of one panel and few rows has too few accumulators to hide the latency of an FMA.
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
    """Where part number `part` of `parts` equal parts of 0 … total begins."""
    return part * total // parts
