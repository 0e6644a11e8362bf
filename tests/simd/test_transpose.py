"""A square of items turned in registers, between strided places, and added."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.simd import TARGET, at, transpose_block, transpose_block_add


@driver
def _turn(crew, nt, add, source, target):
    for _ in range(nt):
        if add:
            transpose_block_add(
                at(source, (1, 2)), source.shape[1], at(target, (2, 1)), target.shape[1]
            )
        else:
            transpose_block(
                at(source, (1, 2)), source.shape[1], at(target, (2, 1)), target.shape[1]
            )


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_rows_become_columns_and_nothing_else_is_written(rng, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    source = rng.standard_normal((v + 2, v + 5)).astype(dtype)
    square = source[1 : v + 1, 2 : v + 2].T
    for add in (False, True):
        target = rng.standard_normal((v + 3, v + 4)).astype(dtype)
        expected = target.copy()
        inside = expected[2 : v + 2, 1 : v + 1]
        inside[...] = inside + square if add else square
        _turn(1, add, source, target)
        assert np.array_equal(target, expected)
