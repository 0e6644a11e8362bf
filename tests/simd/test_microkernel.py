"""Every block of the microkernel computes NumPy's product and writes only its own."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from lstm_tool import run_python

from numba_lstm.jit import driver
from numba_lstm.simd import PANEL, TARGET, at, gemm_tile, gemm_tile_t
from numba_lstm.simd.microkernel import _blocks

BOUND = {"f4": 2e-6, "f8": 4e-15}
GUARD = 77.0


@driver
def _tile(crew, nt, transposed, m, nv, a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc):
    for _ in range(nt):
        if transposed:
            gemm_tile_t(
                m, nv, at(a, (0,)), lda, segments, a_stride, k, at(w, (0,)), w_panel,
                at(c0, (0,)), ldc0, at(c, (0,)), ldc,
            )  # fmt: skip
        else:
            gemm_tile(
                m, nv, at(a, (0,)), lda, segments, a_stride, k, at(w, (0,)), w_panel,
                at(c0, (0,)), ldc0, at(c, (0,)), ldc,
            )  # fmt: skip


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_block_adds_its_product_to_what_it_starts_from(rng, dtype, transposed):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    tried = 0
    for m, nv in _blocks():
        if transposed and nv > PANEL:
            continue
        for segments, k in ((1, 1), (1, 37), (3, 5)):
            panels = -(-nv // PANEL)
            a = rng.standard_normal((segments, k, m) if transposed else (segments, m, k))
            w = rng.standard_normal((panels, segments * k + 2, PANEL * v))
            rows = w[:, : segments * k].swapaxes(0, 1).reshape(segments, k, -1)[:, :, : nv * v]
            product = np.einsum("skm,skn->mn" if transposed else "smk,skn->mn", a, rows)
            for bias in (True, False):
                start = rng.standard_normal((1 if bias else m, nv * v + 5))
                ldc = nv * v + 3
                c = np.full((m + 1) * ldc, GUARD, dtype)
                arrays = [array.astype(dtype) for array in (a, w, start)]
                lda = m if transposed else k
                _tile(
                    1, transposed, m, nv, arrays[0].reshape(-1), lda, segments, m * k, k,
                    arrays[1].reshape(-1), w[0].size, arrays[2].reshape(-1),
                    0 if bias else nv * v + 5, c, ldc,
                )  # fmt: skip
                c = c.reshape(m + 1, ldc)
                expected = start[:, : nv * v] + product
                assert_close(c[:m, : nv * v], expected, BOUND[dtype], f"{m}x{nv} {segments} {k}")
                assert (c[:m, nv * v :] == GUARD).all() and (c[m] == GUARD).all()
                tried += 1
    assert tried >= 6 * TARGET.blocking.mr * PANEL


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_row_has_the_same_bits_in_every_block(rng, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    k = 50
    a = rng.standard_normal(k).astype(dtype)
    w = rng.standard_normal((4, k, PANEL * v)).astype(dtype)
    zeros = np.zeros(16 * v, dtype)
    rows = []
    for m, nv in _blocks():
        c = np.empty((m, nv * v), dtype)
        _tile(
            1, False, m, nv, np.tile(a, (m, 1)).reshape(-1), k, 1, 0, k, w.reshape(-1), w[0].size,
            zeros, 0, c.reshape(-1), nv * v,
        )  # fmt: skip
        rows += list(c)
        if nv <= PANEL:
            _tile(
                1, True, m, nv, np.repeat(a, m), m, 1, 0, k, w.reshape(-1), w[0].size,
                zeros, 0, c.reshape(-1), nv * v,
            )  # fmt: skip
            rows += list(c)
    longest = max(rows, key=len)
    assert all(np.array_equal(row, longest[: len(row)]) for row in rows)


def test_c_may_be_added_to_in_place(rng):
    v = TARGET.lanes(4)
    a, w = (
        rng.standard_normal((2, 9)).astype("f4"),
        rng.standard_normal((9, PANEL * v)).astype("f4"),
    )
    c = np.ones((2, 2 * v), "f4")
    flat = c.reshape(-1)
    _tile(1, False, 2, 2, a.reshape(-1), 9, 1, 0, 9, w.reshape(-1), 0, flat, 2 * v, flat, 2 * v)
    assert_close(c, 1 + a @ w[:, : 2 * v], 1e-6)


INTERRUPTED = """
import llvmlite.binding as llvm
from numba_lstm import compile_cache, jit, simd

names = []

def entry(name, *parts):
    names.append(name)
    if len(names) == 2:
        raise KeyboardInterrupt
    return compile_cache.entry_name(name, *parts)

try:
    simd.load_microkernels(compile_cache.read, compile_cache.write, entry)
except KeyboardInterrupt:
    jit.load_microkernels()
for kind in "nt":
    for bits in (32, 64):
        assert llvm.address_of_symbol(f"numba_lstm_gemm_{kind}_f{bits}"), (kind, bits)
"""


def test_an_interrupt_between_two_dtypes_leaves_none_out_for_good():
    run_python(INTERRUPTED)
