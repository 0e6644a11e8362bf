"""Column sums: NumPy's in float64, on any number of threads to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.kernels.sums import column_sums


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_are_numpys_and_threads_change_no_bit(rng, dtype):
    for rows, columns in ((0, 5), (1, 1), (3, 17), (64, 16), (65, 100), (700, 33)):
        a = rng.standard_normal((rows, columns)).astype(dtype)
        found = []
        for nt in (1, 2):
            parts, sums = np.full(columns, np.nan, dtype), np.full(columns, np.nan)
            column_sums(nt, a, parts, sums)
            found.append(sums)
        assert_close(found[0], a.sum(0, "f8"), 3e-7 if dtype == "f4" else 1e-14)
        assert np.array_equal(*found)


def test_sums_of_many_rows_are_float64s():
    a = np.full((100_000, 3), 0.1, "f4")
    sums = np.empty(3)
    column_sums(1, a, np.empty(3, "f4"), sums)
    assert_close(sums, np.full(3, 1e5 * float(np.float32(0.1))), 1e-14)
