"""The tables of block sizes are such that the kernels can use them."""

from __future__ import annotations

import pytest

from numba_lstm import tuning

OF_TARGETS = [
    (registers, strip)
    for registers, blocking in tuning.BLOCKING.items()
    for strip in blocking.blocks
]


@pytest.mark.parametrize("registers, strip", OF_TARGETS)
def test_a_blocks_accumulators_leave_registers_for_the_operands(registers, strip):
    blocks = tuning.BLOCKING[registers].blocks[strip]
    for m, vectors in enumerate(blocks.at_once, 1):
        # The smaller side stays in registers, the larger one passes through one register.
        assert m * vectors + min(m, vectors) + 1 <= registers
        # The kernels' scratch tile holds 32 panels' worth of vectors a thread.
        assert m * max(4, vectors // strip * 4) <= 32 * 4


@pytest.mark.parametrize("registers, strip", OF_TARGETS)
def test_fewer_rows_run_more_vectors_in_whole_strips(registers, strip):
    at_once = tuning.BLOCKING[registers].blocks[strip].at_once
    assert list(at_once) == sorted(at_once, reverse=True)
    assert all(vectors % strip == 0 for vectors in at_once)
    # `blocks` joins panels for one, two and three rows only.
    assert all(vectors <= max(4, strip) for vectors in at_once[3:])
    assert all(vectors % 4 == 0 for vectors in at_once if strip != 3 and vectors > 4)


@pytest.mark.parametrize("registers, strip", OF_TARGETS)
def test_rows_left_over_are_split_into_two_blocks_that_there_are(registers, strip):
    blocks = tuning.BLOCKING[registers].blocks[strip]
    assert len(blocks.splits) == blocks.mr - 1
    for left, m in enumerate(blocks.splits, blocks.mr + 1):
        assert 1 < m <= blocks.mr and 1 < left - m <= blocks.mr


def test_thresholds_are_positive_and_rows_are_spread_over_the_caches_sets():
    for name in (
        "MIN_PARALLEL_WORK",
        "GEMM_ROWS",
        "GEMM_TRANSPOSED_K",
        "SCRATCH_BYTES",
        "L2_BYTES",
    ):
        assert getattr(tuning, name) > 0
    assert tuning.INFER_ROWS > 0 and tuning.PROJECT_ROWS > 0
    assert tuning.GATES_ROW_REST % 2 == 1 and tuning.GATES_ROW_REST < tuning.GATES_ROW_MULTIPLE
