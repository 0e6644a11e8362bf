from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.kernels.embedding import gather_rows, scatter_add_rows
from numba_lstm.reference.embedding import embedding_backward, embedding_forward

SIZES = [(1, 1, 1), (5, 3, 40), (70, 17, 33), (3, 129, 64), (4, 16, 0)]


@pytest.mark.parametrize("V, E, N", SIZES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_gather_and_scatter_equal_the_reference(rng, V, E, N, dtype):
    table = rng.standard_normal((V, E)).astype(dtype)
    tokens = rng.integers(0, V, N)
    rows = np.full((N, E), np.nan, dtype)
    gather_rows(1, tokens, table, rows)
    assert np.array_equal(rows, embedding_forward(tokens, table))
    dy = rng.standard_normal((N, E)).astype(dtype)
    for skip in (-1, 0):
        sums = np.zeros((V, E), dtype)
        scatter_add_rows(1, tokens, dy, sums, skip)
        expected = embedding_backward(tokens, table, dy.astype("f8"), None if skip < 0 else skip)
        assert_close(sums, expected, 1e-5 if dtype == "f4" else 1e-13)


@pytest.mark.parametrize("V, E, N", SIZES)
def test_every_number_of_threads_gives_the_same_bits(rng, V, E, N):
    table = rng.standard_normal((V, E)).astype("f4")
    tokens, dy = rng.integers(0, V, N), rng.standard_normal((N, E)).astype("f4")
    results = []
    for nt in (1, 2):
        rows, sums = np.empty((N, E), "f4"), table.copy()
        gather_rows(nt, tokens, table, rows)
        scatter_add_rows(nt, tokens, dy, sums, -1)
        results.append((rows, sums))
    for one, two in zip(*results):
        assert np.array_equal(one, two)


@pytest.mark.parametrize("nt", [3, 7])
def test_the_partition_is_complete_for_more_threads_than_cores(rng, nt):
    tokens, table = rng.integers(0, 5, 11), rng.standard_normal((5, 50))
    rows, sums = np.empty((11, 50)), np.zeros((5, 50))
    gather_rows(nt, tokens, table, rows)
    scatter_add_rows(nt, tokens, rows, sums, -1)
    assert np.array_equal(rows, table[tokens])
    assert_close(sums, embedding_backward(tokens, table, rows), 1e-14)


def test_sums_are_made_in_the_order_of_the_tokens():
    rows = np.array([[1e8], [1.0], [-1e8], [1.0]], "f4")
    sums = np.zeros((1, 1), "f4")
    scatter_add_rows(1, np.zeros(4, np.int64), rows, sums, -1)
    assert sums[0, 0] == 1.0  # (((1e8 + 1) - 1e8) + 1) in float32
