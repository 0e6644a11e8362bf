"""dz summed by token: NumPy's sums, in the order of the tokens, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm import threads
from numba_lstm.kernels.tokens import sum_by_token
from numba_lstm.simd import PANEL, TARGET


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_equal_numpys_and_unused_tokens_get_zero(rng, dtype):
    width = PANEL * TARGET.lanes(np.dtype(dtype).itemsize)
    for panels, count, vocabulary in ((1, 1, 1), (2, 50, 7), (3, 9, 40), (5, 200, 3)):
        z = rng.standard_normal((panels, count + 2, width)).astype(dtype)
        tokens = rng.integers(0, vocabulary, count)
        expected = np.zeros((panels, vocabulary, width))
        for p in range(panels):
            np.add.at(expected[p], tokens, z[p, :count].astype("f8"))
        results = []
        for nt in (1, 2) if threads.most_threads() > 1 else (1,):
            table = np.full((panels, vocabulary, width), np.nan, dtype)
            sum_by_token(nt, z, tokens, table)
            results.append(table)
        assert_close(results[0], expected, 1e-5 if dtype == "f4" else 1e-14)
        assert all(np.array_equal(results[0], other) for other in results)


def test_sums_are_made_in_the_order_of_the_tokens():
    width = PANEL * TARGET.lanes(4)
    z = np.repeat(np.array([1e8, 1.0, -1e8, 1.0], "f4")[:, None], width, 1)[None]
    table = np.empty((1, 1, width), "f4")
    sum_by_token(1, np.ascontiguousarray(z), np.zeros(4, np.int64), table)
    assert (table == 1.0).all()  # (((1e8 + 1) - 1e8) + 1) in float32
