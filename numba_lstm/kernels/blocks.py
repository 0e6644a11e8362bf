"""How rows, panels and strips are cut into blocks and shared out among threads.

A panel of z has PANEL vectors. The packed weights of a panel are one or two strips; see `pack`.
"""

from __future__ import annotations

from .. import tuning
from ..jit import kernel
from ..simd import BLOCKS, PANEL, STRIP

__all__ = [
    "MR",
    "TILE",
    "first",
    "panels_at_once",
    "row_block",
    "spread_columns",
    "strip_of",
    "strips_of_panel",
]

MR, _MR_3 = BLOCKS[STRIP].mr, BLOCKS[3].mr
_SPLITS, _SPLITS_3 = BLOCKS[STRIP].splits, BLOCKS[3].splits
# Panels of z that a thread has scratch for. A block takes a quarter of them at most.
TILE = 32
# How many panels at most are run at once for a block of 1, 2 and 3 rows; larger blocks run one.
_WIDE_1, _WIDE_2, _WIDE_3 = (max(1, nv // PANEL) for nv in BLOCKS[STRIP].at_once[:3])
_WIDE_3_1, _WIDE_3_2, _WIDE_3_3 = (max(1, nv // 3) for nv in BLOCKS[3].at_once[:3])


spread_columns = kernel(tuning.spread_columns)


def strip_of(windows: tuple[int, int, int]) -> int:
    """The width of the strips of a cell's weights; `windows` as in `loops.cell.Cell`.

    Where x and h reach only three of a panel's four vectors, so do their weights.
    """
    return STRIP if windows[0] == PANEL else 3


def strips_of_panel(strip: int) -> int:
    """How many strips the weights of one panel are."""
    return max(1, PANEL // strip)


@kernel
def row_block(left, strip):
    """Rows in the next block when `left` rows are left: MR, or a good part of the last two blocks.

    7 rows are 4 + 3 (5 + 2 on 16 registers) and not 6 + 1, because a block of one row waits for the
    loads of its weights.
    """
    mr = _MR_3 if strip == 3 else MR
    if left <= mr:
        return left
    if left < 2 * mr:
        return _SPLITS_3[left - mr - 1] if strip == 3 else _SPLITS[left - mr - 1]
    return mr


@kernel
def panels_at_once(m, left, strip):
    """How many panels a block of `m` rows runs side by side when `left` panels are left.

    The result is that of one panel after the other, ``z[:, p] = a @ w[p] + b[p]``, to the bit.

    A block of one panel and few rows has too few accumulators to hide the latency of an FMA. So
    what is less than two wide blocks is cut into halves: 7 panels into 4 + 3.
    """
    most = 1
    if m == 1:
        most = _WIDE_3_1 if strip == 3 else _WIDE_1
    elif m == 2:
        most = _WIDE_3_2 if strip == 3 else _WIDE_2
    elif m == 3:
        most = _WIDE_3_3 if strip == 3 else _WIDE_3
    if left <= most:
        return left
    return most if left >= 2 * most else (left + 1) // 2


@kernel
def first(part, parts, total):
    """Where part number `part` of `parts` equal parts of 0 … total begins.

    No part is larger than the first one, the caller's: see `numba_lstm.parts`.
    """
    return (part * total + parts - 1) // parts
