"""The tables of block sizes are such that the kernels can use them."""

from __future__ import annotations

import pytest

from numba_lstm import tuning


@pytest.mark.parametrize("registers", sorted(tuning.BLOCKING))
def test_a_blocks_accumulators_leave_registers_for_the_operands(registers):
    blocking = tuning.BLOCKING[registers]
    assert 1 <= blocking.nv <= 4 and blocking.mr >= 1
    for m in range(1, blocking.mr + 1):
        vectors = blocking.columns_at_once(m)
        assert vectors >= blocking.nv
        assert m * vectors < registers - 1
    # The kernels' scratch tile holds 32 panels' worth of vectors a thread.
    assert blocking.mr * max(4, *blocking.wide) <= 32 * 4


@pytest.mark.parametrize("registers", sorted(tuning.BLOCKING))
def test_fewer_rows_run_more_vectors_in_whole_panels(registers):
    wide = tuning.BLOCKING[registers].wide
    assert list(wide) == sorted(wide, reverse=True)
    assert all(vectors % 4 == 0 for vectors in wide)
    assert len(wide) <= 3  # `blocks` looks at one, two and three rows


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
