"""Cutting rows and panels into blocks: everything once, nothing too large for the microkernel."""

from __future__ import annotations

import itertools

import pytest

from numba_lstm import tuning
from numba_lstm.kernels.blocks import MR, TILE, first, panels_at_once, row_block, strips_of_panel
from numba_lstm.simd import BLOCKS, PANEL, STRIP
from numba_lstm.simd.microkernel import blocks

# As plain Python, which costs no compilation.
first, row_block, panels_at_once = first.py_func, row_block.py_func, panels_at_once.py_func


@pytest.mark.parametrize("total", [0, 1, 2, 5, 6, 7, 64, 129])
@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64])
def test_shares_follow_each_other_cover_all_and_differ_by_one_at_most(parts, total):
    edges = [first(part, parts, total) for part in range(parts + 1)]
    assert edges[0] == 0 and edges[-1] == total
    sizes = [b - a for a, b in itertools.pairwise(edges)]
    assert min(sizes) >= 0 and max(sizes) - min(sizes) <= 1
    assert max(sizes) == sizes[0]


@pytest.mark.parametrize("strip", BLOCKS)
def test_blocks_of_rows_cover_all_rows_and_end_without_a_remnant(strip):
    mr = BLOCKS[strip].mr
    for rows in range(1, 200):
        left, blocks = rows, []
        while left:
            blocks.append(row_block(left, strip))
            assert 1 <= blocks[-1] <= min(mr, left)
            left -= blocks[-1]
        assert len(blocks) == -(-rows // mr)
        assert rows < mr or min(blocks) > 1


@pytest.mark.parametrize("strip", BLOCKS)
@pytest.mark.parametrize("m", [1, 2, 3])
def test_few_rows_leave_no_panel_alone_unless_there_is_but_one_or_a_block_holds_no_more(m, strip):
    most = max(1, BLOCKS[strip].at_once[m - 1] // min(PANEL, strips_of_panel(strip) * strip))
    for panels in range(1, 40):
        left, counts = panels, []
        while left:
            counts.append(panels_at_once(m, left, strip))
            left -= counts[-1]
        assert len(counts) == -(-panels // most)
        assert max(counts[-2:]) - min(counts[-2:]) <= 1


def test_every_block_that_is_asked_for_has_a_microkernel():
    there = set(blocks(transposed=False))
    for strip in BLOCKS:
        panel, mr = min(PANEL, strips_of_panel(strip) * strip), BLOCKS[strip].mr
        for m in range(1, mr + 1):
            assert {(strip, m, nv) for nv in range(1, panel + 1)} <= there
            for left in range(1, 40):
                count = panels_at_once(m, left, strip)
                assert 1 <= count <= left
                assert (strip, m, count * panel) in there
    turned = set(blocks(transposed=True))
    assert {(3, m, 3) for m in range(1, BLOCKS[3].mr + 1)} <= turned
    assert {(STRIP, m, nv) for m in range(1, MR + 1) for nv in (1, 2, 4)} <= turned


@pytest.mark.parametrize("blocking", tuning.BLOCKING.values(), ids=tuning.BLOCKING)
def test_a_block_takes_a_quarter_of_the_tile_at_most(blocking):
    """Backward has three more parts of that size there, forward two."""
    for strip, of_strip in blocking.blocks.items():
        for m, vectors in enumerate(of_strip.at_once, 1):
            panels = max(1, vectors // (3 if strip == 3 else PANEL))
            assert m * panels <= TILE // 4, (strip, m)
