"""The products around the time loop: NumPy's numbers, no write outside, the same bits always."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm import threads
from numba_lstm.kernels import gemm as module
from numba_lstm.kernels import pack
from numba_lstm.kernels.gemm import TRANSPOSED_SCRATCH, gemm, gemm_transposed
from numba_lstm.simd import PANEL, STRIP, TARGET

BOUND = {"f4": 2e-6, "f8": 4e-15}
THREADS = (1, 2) if threads.most_threads() > 1 else (1,)
# m, k, n: around the blocks of 6 rows, of 96 rows, and around panels of every width.
SIZES = [
    (1, 1, 1),
    (2, 5, 70),
    (5, 3, 16),
    (7, 64, 17),
    (13, 9, 129),
    (97, 31, 33),
    (200, 2, 64),
    (259, 7, 250),
]
GUARD = 12345.0


def packed_columns(w):
    v = TARGET.lanes(w.itemsize)
    out = np.empty(pack.packed_columns_shape(*w.shape, v), w.dtype)
    pack.pack_columns(1, w, 1, pack.PLAIN, out)
    return out


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_product_equals_numpys_and_writes_nothing_else(rng, dtype):
    width = PANEL * TARGET.lanes(np.dtype(dtype).itemsize)
    for m, k, n in SIZES:
        a = rng.standard_normal((m, k + 3)).astype(dtype)  # rows further apart than they are long
        w, b = rng.standard_normal((k, n)).astype(dtype), rng.standard_normal(n).astype(dtype)
        panels = packed_columns(w)
        bias = np.zeros((-(-n // width), width), dtype)
        bias.reshape(-1)[:n] = b
        results = []
        for nt in THREADS:
            c = np.full(m * n + 100, GUARD, dtype)
            gemm(nt, a.reshape(-1), k + 3, 1, 0, k, m, panels, bias, c, width, n, n)
            assert (c[m * n :] == GUARD).all(), (m, k, n)
            results.append(c[: m * n].reshape(m, n))
        expected = a[:, :k].astype("f8") @ w.astype("f8") + b
        assert_close(results[0], expected, BOUND[dtype], f"{m} {k} {n}")
        assert all(np.array_equal(results[0], other) for other in results)


def test_a_result_in_panels_is_padded_and_leaves_the_rows_between(rng):
    v = TARGET.lanes(4)
    width, m, k, hidden = PANEL * v, 11, 5, v + 3
    w, x = rng.standard_normal((4 * hidden, k)).astype("f4"), rng.standard_normal((m, k))
    packed = np.empty(pack.packed_rows_shape(4, hidden, k, v), "f4")
    pack.pack_rows(1, w, 4, np.arange(4), 0, packed)
    bias = pack.pack_bias(rng.standard_normal(4 * hidden).astype("f4"), 4, np.arange(4), v)
    z = np.full((2, m + 2, width), GUARD, "f4")
    gemm(
        1, x.astype("f4").reshape(-1), k, 1, 0, k, m, packed, bias, z.reshape(-1),
        (m + 2) * width, width, 2 * width,
    )  # fmt: skip
    assert (z[:, m:] == GUARD).all()
    panels = packed.reshape(2, -1, k, STRIP * v).swapaxes(1, 2).reshape(2, k, width)
    assert_close(z[:, :m], x @ panels.astype("f8") + bias[:, None], 1e-6)


def test_a_panel_of_three_gates_ends_with_its_bias(rng):
    v = TARGET.lanes(4)
    width, k, hidden, order = PANEL * v, 9, 2 * v + 3, np.array([2, 0, 1, -1])
    w = rng.standard_normal((3 * hidden, k)).astype("f4")
    packed = np.empty(pack.packed_rows_shape(3, hidden, k, v, 3), "f4")
    pack.pack_rows(1, w, 3, order[:3], 0, packed)
    assert len(packed) == 3
    bias = rng.standard_normal((3, width)).astype("f4")
    for m in (1, 2, 3, 5, 8, 9, 30, 101):
        x = rng.standard_normal((m, k)).astype("f4")
        z = np.full((3, m + 2, width), GUARD, "f4")
        gemm(
            1, x.reshape(-1), k, 1, 0, k, m, packed, bias, z.reshape(-1), (m + 2) * width, width,
            3 * width,
        )  # fmt: skip
        assert (z[:, m:] == GUARD).all()
        three = slice(0, 3 * v)
        expected = x.astype("f8") @ packed.astype("f8") + bias[:, None, three]
        assert_close(z[:, :m, three], expected, 1e-6, f"{m}")
        last = slice(3 * v, width)
        assert np.array_equal(z[:, :m, last], np.broadcast_to(bias[:, None, last], (3, m, v)))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_segments_are_one_long_sum(rng, dtype):
    width = PANEL * TARGET.lanes(np.dtype(dtype).itemsize)
    for m, segments, n in ((1, 2, 3), (9, 3, 70), (130, 5, 20)):
        z = rng.standard_normal((segments, m + 1, width)).astype(dtype)
        w = rng.standard_normal((segments * width, n)).astype(dtype)
        panels = packed_columns(w)
        zeros = np.zeros((len(panels), width), dtype)
        results = []
        for nt in THREADS:
            c = np.full((m, n), np.nan, dtype)
            gemm(
                nt, z.reshape(-1), width, segments, (m + 1) * width, width, m, panels, zeros,
                c.reshape(-1), width, n, n,
            )  # fmt: skip
            results.append(c)
        expected = np.einsum("smk,skn->mn", z[:, :m], w.reshape(segments, width, n), dtype="f8")
        assert_close(results[0], expected, 2 * BOUND[dtype])
        assert all(np.array_equal(results[0], other) for other in results)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_transposed_product_equals_numpys_and_sums_the_columns(rng, dtype):
    width = PANEL * TARGET.lanes(np.dtype(dtype).itemsize)
    longest = 2 * module.K_AT_ONCE + 3
    for k, m, panels in (
        (1, 1, 1),
        (5, 7, 2),
        (63, 13, 3),
        (65, 6, 1),
        (257, 3, 2),
        (longest, 20, 2),
        (longest, 6 * module.BLOCKS_AT_ONCE + 5, 2),
    ):
        a = rng.standard_normal((k, m + 2)).astype(dtype)
        z = rng.standard_normal((panels, k + 1, width)).astype(dtype)
        expected = np.einsum("ki,pkj->pij", a[:, :m], z[:, :k], dtype="f8")
        totals = z[:, :k].sum(1, "f8")
        zeros = np.zeros(width, dtype)
        results = []
        for nt, copied in itertools.product(THREADS, (False, True)):
            c, sums = np.full((panels, m, width), np.nan, dtype), np.full((panels, width), np.nan)
            memory = np.full((nt if copied else 0, TRANSPOSED_SCRATCH), np.nan, dtype)

            def run(
                accumulate, sums, nt=nt, c=c, a=a, z=z, k=k, m=m, panels=panels, zeros=zeros,
                memory=memory,
            ):  # fmt: skip
                gemm_transposed(
                    nt, accumulate, a.reshape(-1), m + 2, k, m, z.reshape(-1), (k + 1) * width,
                    panels, 0, PANEL, zeros, c, sums, memory,
                )  # fmt: skip

            run(False, sums)
            assert_close(c, expected, 4 * BOUND[dtype])
            assert_close(sums, totals, 2 * BOUND[dtype])
            results.append((c.copy(), sums.copy()))
            run(True, sums)
            assert_close(c, 2 * expected, 4 * BOUND[dtype])
            assert_close(sums, 2 * totals, 2 * BOUND[dtype])
            run(False, np.empty((0, width)))
            assert np.array_equal(c, results[-1][0])
        for c, sums in results:  # however many threads, copied or not
            assert np.array_equal(c, results[0][0]) and np.array_equal(sums, results[0][1])


def test_column_sums_of_many_rows_are_better_than_float32s():
    width = PANEL * TARGET.lanes(4)
    k = 100_000
    z = np.full((1, k, width), 0.1, "f4")
    c, sums = np.empty((1, 1, width), "f4"), np.empty((1, width))
    a = np.zeros(k, "f4")
    gemm_transposed(
        1, False, a, 1, k, 1, z.reshape(-1), k * width, 1, 0, PANEL, np.zeros(width, "f4"), c, sums,
        np.empty((0, TRANSPOSED_SCRATCH), "f4"),
    )  # fmt: skip
    assert_close(sums, np.full((1, width), k * float(np.float32(0.1))), 1e-6)


def test_a_transposed_product_of_some_of_a_panels_vectors_leaves_the_others(rng):
    v = TARGET.lanes(4)
    width, k, m, panels = PANEL * v, 40, 9, 2
    a = rng.standard_normal((k, m)).astype("f4")
    z = rng.standard_normal((panels, k, width)).astype("f4")
    expected = np.einsum("ki,pkj->pij", a, z, dtype="f8")
    for slot, nv in ((0, 3), (1, 3), (2, 1)):
        c, sums = np.full((panels, m, width), GUARD, "f4"), np.empty((panels, width))
        for accumulate in (False, True):
            memory = np.empty((int(accumulate), TRANSPOSED_SCRATCH), "f4")
            gemm_transposed(
                1, accumulate, a.reshape(-1), m, k, m, z.reshape(-1), k * width, panels, slot, nv,
                np.zeros(width, "f4"), c, sums, memory,
            )  # fmt: skip
        inside = slice(slot * v, (slot + nv) * v)
        assert_close(c[..., inside], 2 * expected[..., inside], 4 * BOUND["f4"])
        c[..., inside] = GUARD
        assert (c == GUARD).all()
        assert_close(sums, 2 * z.sum(1, "f8"), 2 * BOUND["f4"])
