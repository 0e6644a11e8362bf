"""Packed copies of one matrix: made once, and of the part that was asked for."""

from __future__ import annotations

import numpy as np

from numba_lstm import nn
from numba_lstm.kernels import pack
from numba_lstm.parameters import packed
from numba_lstm.simd import TARGET

ORDER = pack.PLAIN


def test_the_part_of_a_matrix_from_a_row_on_has_a_copy_of_its_own(rng):
    p = nn.Parameter(rng.standard_normal((9, 4)).astype("f4"))
    whole, part = packed.packed_rows(p), packed.packed_rows(p, 6)
    for found, rows in ((whole, 9), (part, 3)):
        assert found.shape == pack.packed_rows_shape(1, rows, 4, TARGET.lanes(4))
    for found, a in ((whole, p.numpy()), (part, p.numpy()[6:])):
        expected = np.empty_like(found)
        pack.pack_rows(1, a, 1, pack.PLAIN, 0, expected)
        assert np.array_equal(found, expected)
    assert packed.packed_rows(p) is whole and packed.packed_rows(p, 6) is part
    rows = 2 * 16
    one, two = (packed.packed_columns(p, 1, pack.PLAIN, rows, start) for start in (0, 6))
    assert np.array_equal(one[0, 6:9], two[0, :3]) and not two[0, 3:].any()


def test_a_written_matrix_is_packed_anew_into_the_memory_it_had(rng):
    p = nn.Parameter(rng.standard_normal((9, 4)).astype("f4"))
    copies = packed.packed_rows(p), packed.packed_rows(p, 6), packed.packed_columns(p, 1, ORDER, 32)
    old = [copy.copy() for copy in copies]
    p[...] = 2 * p.numpy()
    anew = packed.packed_rows(p), packed.packed_rows(p, 6), packed.packed_columns(p, 1, ORDER, 32)
    for found, copy, before in zip(anew, copies, old, strict=True):
        assert found is copy and before.any()
        assert np.array_equal(found, 2 * before)
