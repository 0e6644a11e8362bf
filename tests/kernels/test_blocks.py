"""Cutting rows and panels into blocks: everything once, nothing too large for the microkernel."""

from __future__ import annotations

import itertools

import pytest

from numba_lstm.kernels.blocks import MR, first, panels_at_once, row_block
from numba_lstm.simd import PANEL, TARGET
from numba_lstm.simd.microkernel import _blocks

# As plain Python, which costs no compilation.
first, row_block, panels_at_once = first.py_func, row_block.py_func, panels_at_once.py_func


@pytest.mark.parametrize("total", [0, 1, 2, 5, 6, 7, 64, 129])
@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64])
def test_shares_follow_each_other_cover_all_and_differ_by_one_at_most(parts, total):
    edges = [first(part, parts, total) for part in range(parts + 1)]
    assert edges[0] == 0 and edges[-1] == total
    sizes = [b - a for a, b in itertools.pairwise(edges)]
    assert min(sizes) >= 0 and max(sizes) - min(sizes) <= 1


def test_blocks_of_rows_cover_all_rows_and_end_without_a_remnant():
    for rows in range(1, 200):
        left, blocks = rows, []
        while left:
            blocks.append(row_block(left))
            assert 1 <= blocks[-1] <= min(MR, left)
            left -= blocks[-1]
        assert len(blocks) == -(-rows // MR)
        assert rows < MR or min(blocks) >= MR // 2


def test_every_block_that_is_asked_for_has_a_microkernel():
    there = set(_blocks())
    assert {(m, nv) for m in range(1, MR + 1) for nv in range(1, PANEL + 1)} <= there
    for m in range(1, MR + 1):
        for left in range(1, 40):
            count = panels_at_once(m, left)
            assert 1 <= count <= left
            assert (m, count * PANEL) in there


def test_the_tables_blocks_fit_the_registers():
    for m, nv in _blocks():
        group = min(nv, TARGET.blocking.columns_at_once(m))
        # Accumulators, the weights of one k, and the broadcast item of A (a memory operand on
        # AVX-512, where it needs no register).
        assert m * group <= TARGET.registers - 2
