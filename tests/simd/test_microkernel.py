"""Every block of the microkernel computes NumPy's product and writes only its own."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from lstm_tool import run_python

from numba_lstm.jit import driver
from numba_lstm.simd import PANEL, STRIP, TARGET, at, gemm_tile, gemm_tile_t
from numba_lstm.simd.microkernel import blocks

BOUND = {"f4": 2e-6, "f8": 4e-15}
GUARD = 77.0


@driver
def _tile(
    crew, nt, transposed, strip, m, nv, a, lda, segments, a_stride, k, w, w_strip, c0, ldc0, c, ldc
):  # fmt: skip
    for _ in range(nt):
        if transposed:
            gemm_tile_t(
                strip, m, nv, at(a, (0,)), lda, segments, a_stride, k, at(w, (0,)), w_strip,
                at(c0, (0,)), ldc0, at(c, (0,)), ldc,
            )  # fmt: skip
        else:
            gemm_tile(
                strip, m, nv, at(a, (0,)), lda, segments, a_stride, k, at(w, (0,)), w_strip,
                at(c0, (0,)), ldc0, at(c, (0,)), ldc,
            )  # fmt: skip


def _strip_width(transposed, strip):
    return PANEL if transposed else strip


def _columns_of_c(transposed, strip, nv, v):
    """Where the nv vectors stand in a row of C; strips of 3 leave a panel's last place free."""
    n = np.arange(nv)
    places = n // 3 * PANEL + n % 3 if strip == 3 and not transposed else n
    return (places[:, None] * v + np.arange(v)).reshape(-1)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_block_adds_its_product_to_what_it_starts_from(rng, dtype, transposed):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    tried = 0
    for strip, m, nv in blocks(transposed):
        columns = _columns_of_c(transposed, strip, nv, v)
        width, used = columns[-1] + 1, _strip_width(transposed, strip)
        for segments, k in ((1, 1), (1, 37), (3, 5)):
            strips = -(-nv // used)
            a = rng.standard_normal((segments, k, m) if transposed else (segments, m, k))
            w = rng.standard_normal((strips, segments * k + 2, used * v))
            rows = w[:, : segments * k].swapaxes(0, 1).reshape(segments, k, -1)[:, :, : nv * v]
            product = np.einsum("skm,skn->mn" if transposed else "smk,skn->mn", a, rows)
            for bias in (True, False):
                start = rng.standard_normal((1 if bias else m, width + 5))
                ldc = width + 3
                c = np.full((m + 1) * ldc, GUARD, dtype)
                arrays = [array.astype(dtype) for array in (a, w, start)]
                lda = m if transposed else k
                _tile(
                    1, transposed, strip, m, nv, arrays[0].reshape(-1), lda, segments, m * k, k,
                    arrays[1].reshape(-1), w[0].size, arrays[2].reshape(-1),
                    0 if bias else width + 5, c, ldc,
                )  # fmt: skip
                c = c.reshape(m + 1, ldc)
                expected = start[:, columns] + product
                what = f"{strip} {m}x{nv} {segments} {k}"
                assert_close(c[:m, columns], expected, BOUND[dtype], what)
                c[:m, columns] = GUARD
                assert (c == GUARD).all()
                tried += 1
    assert tried >= 6 * 3 * TARGET.blocking.blocks[STRIP].mr


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_row_has_the_same_bits_in_every_block(rng, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    k = 50
    a, w = rng.standard_normal(k).astype(dtype), rng.standard_normal((k, 16 * v)).astype(dtype)
    zeros = np.zeros(17 * v, dtype)
    rows = []
    for transposed in (False, True):
        for strip, m, nv in blocks(transposed):
            columns, used = _columns_of_c(transposed, strip, nv, v), _strip_width(transposed, strip)
            strips = -(-nv // used)
            packed = w[:, : strips * used * v].reshape(k, strips, used * v).swapaxes(0, 1)
            c = np.empty((m, columns[-1] + 1), dtype)
            _tile(
                1, transposed, strip, m, nv, np.repeat(a, m) if transposed else np.tile(a, m),
                m if transposed else k, 1, 0, k, packed.reshape(-1), k * used * v, zeros, 0,
                c.reshape(-1), c.shape[1],
            )  # fmt: skip
            rows += list(c[:, columns])
    longest = max(rows, key=len)
    assert all(np.array_equal(row, longest[: len(row)]) for row in rows)


def test_c_may_be_added_to_in_place(rng):
    v = TARGET.lanes(4)
    a, w = (
        rng.standard_normal((2, 9)).astype("f4"),
        rng.standard_normal((9, STRIP * v)).astype("f4"),
    )
    c = np.ones((2, 2 * v), "f4")
    flat = c.reshape(-1)
    a, w_flat = a.reshape(-1), w.reshape(-1)
    _tile(1, False, STRIP, 2, 2, a, 9, 1, 0, 9, w_flat, 0, flat, 2 * v, flat, 2 * v)
    assert_close(c, 1 + a.reshape(2, 9) @ w[:, : 2 * v], 1e-6)


INTERRUPTED = """
import llvmlite.binding as llvm
from numba_lstm import jit

made, make = [], llvm.create_mcjit_compiler

def interrupted(*about):
    made.append(about)
    if len(made) == 2:
        raise KeyboardInterrupt
    return make(*about)

llvm.create_mcjit_compiler = interrupted
try:
    jit.load_microkernels()
except KeyboardInterrupt:
    jit.load_microkernels()
assert len(made) == 4
for kind in "nt":
    for bits in (32, 64):
        assert llvm.address_of_symbol(f"numba_lstm_gemm_{kind}_f{bits}"), (kind, bits)
"""


def test_an_interrupt_between_two_dtypes_leaves_none_out_for_good():
    run_python(INTERRUPTED)
