"""Matrix products with packed operands: everything around the time loop, and Linear.

In NumPy (see `reference.linear`), W and Z being unpacked:

    gemm               C = A @ W + b         products with weights, dx
    gemm_transposed    C = A.T @ Z           gradients of weights

Each thread computes a part of C, and sums over k in the same order as any other would. So results
do not depend on the number of threads. `pack` draws the packed layout.
"""

from __future__ import annotations

import numpy as np

from .. import tuning
from ..jit import driver, kernel
from ..parts import parts
from ..simd import (
    PANEL,
    at,
    flush_denormals,
    gemm_tile,
    gemm_tile_t,
    lanes,
    load,
    restore_denormals,
    shift,
    store,
    store_n,
)
from .blocks import MR, first, row_block

__all__ = ["gemm", "gemm_transposed"]

ROWS_AT_ONCE = tuning.GEMM_ROWS
K_AT_ONCE = tuning.GEMM_TRANSPOSED_K


@kernel
def _store_tile(tile, m, nv, c, stride, n):
    """Copy m rows of nv vectors from the tile to c, the first `n` columns only."""
    v = lanes(tile)
    for i in range(m):
        for j in range(nv):
            x = load(tile, (i * nv + j) * v)
            if (j + 1) * v <= n:
                store(c, i * stride + j * v, x)
            else:
                store_n(c, i * stride + j * v, x, n - j * v)


@kernel
def _gemm_panel(a, lda, segments, a_stride, k, w, bias, c, c_row, n, rows, tile):
    """One panel of C for `rows` rows. Arrays are pointers, strides count items; see `gemm`."""
    v = lanes(a)
    nv = min(PANEL, (n + v - 1) // v)
    r = 0
    while r < rows:
        m = row_block(rows - r)
        here = shift(a, r * lda)
        if nv * v <= n:
            out = shift(c, r * c_row)
            gemm_tile(m, nv, here, lda, segments, a_stride, k, w, 0, bias, 0, out, c_row)
        else:
            gemm_tile(m, nv, here, lda, segments, a_stride, k, w, 0, bias, 0, tile, nv * v)
            _store_tile(tile, m, nv, shift(c, r * c_row), c_row, n)
        r += m


@kernel
def _gemm_part(
    q, nt, by_rows, blocks, panels, tiles,
    a, lda, segments, a_stride, k, m, w, bias, c, c_panel, c_row, n,
):  # fmt: skip
    width = PANEL * lanes(c)
    state = flush_denormals()
    tile = at(tiles, (q, 0))
    p0, p1, b0, b1 = 0, panels, 0, blocks
    if by_rows:
        b0, b1 = first(q, nt, blocks), first(q + 1, nt, blocks)
    else:
        p0, p1 = first(q, nt, panels), first(q + 1, nt, panels)
    for block in range(b0, b1):
        r0, r1 = first(block, blocks, m), first(block + 1, blocks, m)
        for p in range(p0, p1):
            _gemm_panel(
                at(a, (r0 * lda,)), lda, segments, a_stride, k,
                at(w, (p, 0, 0)), at(bias, (p, 0)),
                at(c, (p * c_panel + r0 * c_row,)), c_row, n - p * width, r1 - r0, tile,
            )  # fmt: skip
    restore_denormals(state)


@driver
def gemm(crew, nt, a, lda, segments, a_stride, k, m, w, bias, c, c_panel, c_row, n):
    """``C[r, j] = b[j] + Σ_s Σ_k A[s, r, k] · W[s·K + k, j]`` for r < m and j < n.

    Parameters
    ----------
    nt : int
        Threads.
    a : (…,) float32 or float64
        A, flat: ``A[s, r, k]`` at ``a[s·a_stride + r·lda + k]``. A row-major matrix is one segment
        of k = its columns. Panels (P, rows, PANEL·V) are P segments.
    lda, segments, a_stride, k : int
        k is at least 1.
    m : int
        Rows of A and C.
    w : (panels, ≥ segments·k, PANEL·V), of a's dtype
        Packed by `pack.pack_rows` or `pack.pack_columns`. Rows past segments·k are not read.
    bias : (panels, PANEL·V), of a's dtype
        b in the order of w's columns; zeros for none.
    c : (…,), of a's dtype, written
        C, flat: ``C[r, j]`` at ``c[(j div PANEL·V)·c_panel + r·c_row + j mod PANEL·V]``. A
        row-major matrix has ``c_panel = PANEL·V`` and c_row = its columns. Must not overlap `a`.
    c_panel, c_row : int
    n : int
        Columns of C.
    """
    width = PANEL * lanes(c)
    panels = (n + width - 1) // width
    blocks = (m + ROWS_AT_ONCE - 1) // ROWS_AT_ONCE
    # Threads share blocks of rows, or panels if there are too few blocks.
    by_rows = blocks >= 2 * nt or panels < nt
    if not by_rows:
        blocks = 1
    tiles = np.empty((nt, (MR + 1) * width), c.dtype)
    parts(crew, nt, _gemm_part, (
        nt, by_rows, blocks, panels, tiles,
        a, lda, segments, a_stride, k, m, w, bias, c, c_panel, c_row, n,
    ))  # fmt: skip


@kernel
def _add_column_sums(z, k, tile, total):
    """total (PANEL·V,) += the sum of k rows of a panel: 64 rows in z's dtype, those in float64."""
    v = lanes(z)
    width = PANEL * v
    for k0 in range(0, k, 64):
        for j in range(PANEL):
            x = load(z, k0 * width + j * v)
            for i in range(k0 + 1, min(k, k0 + 64)):
                x = x + load(z, i * width + j * v)
            store(tile, j * v, x)
        for j in range(width):
            total[j] += tile[j]


@kernel
def _gemm_transposed_part(
    q, nt, blocks, total, tiles, accumulate, a, lda, k, m, z, z_panel, slot, nv, zeros, c, sums
):  # fmt: skip
    v = lanes(c)
    width = PANEL * v
    state = flush_denormals()
    # Threads share pairs (panel, block of C's rows). With few panels, sharing panels alone
    # would leave threads idle.
    begin, end = first(q, nt, total), first(q + 1, nt, total)
    for k0 in range(0, k, K_AT_ONCE):
        kc = min(K_AT_ONCE, k - k0)
        unit = begin
        while unit < end:
            p = unit // blocks
            block = unit - p * blocks
            stop = min(blocks, block + end - unit)
            here = at(z, (p * z_panel + k0 * width,))
            if block == 0 and p < sums.shape[0]:
                if k0 == 0 and not accumulate:
                    sums[p] = 0
                _add_column_sums(here, kc, at(tiles, (q, 0)), sums[p])
            for i in range(block, stop):
                i0, i1 = first(i, blocks, m), first(i + 1, blocks, m)
                out = at(c, (p, i0, slot * v))
                fresh = k0 == 0 and not accumulate
                start, stride = (at(zeros, (0,)), 0) if fresh else (out, width)
                gemm_tile_t(
                    i1 - i0, nv, at(a, (k0 * lda + i0,)), lda, 1, 0, kc,
                    shift(here, slot * v), 0, start, stride, out, width,
                )  # fmt: skip
            unit += stop - block
    restore_denormals(state)


@driver
def gemm_transposed(
    crew, nt, accumulate, a, lda, k, m, z, z_panel, panels, slot, nv, zeros, c, sums
):  # fmt: skip
    """``C[p, i, j] = Σ_k A[k, i] · Z[p, k, j]`` for i < m: the gradient of a packed weight.

    Parameters
    ----------
    nt : int
        Threads.
    accumulate : bool
        Whether to add to `c` and `sums` instead of overwriting them.
    a : (…,) float32 or float64
        A, flat: ``A[k, i]`` at ``a[k·lda + i]``.
    lda, k, m : int
        A has k rows, the terms of the sum, and m columns.
    z : (…,), of a's dtype
        Z, flat: ``Z[p, k, j]`` at ``z[p·z_panel + k·PANEL·V + j]``.
    z_panel, panels : int
    slot, nv : int
        Which vectors of a panel are computed: nv of them from `slot` on.
    zeros : (PANEL·V,), of a's dtype
    c : (panels, m, PANEL·V), of a's dtype, those vectors written
    sums : (panels, PANEL·V) float64, written; or of no panels
        The gradient of the bias, ``Σ_k Z[p, k, j]``, added up while Z is in the cache.
    """
    blocks = (m + MR - 1) // MR
    total = panels * blocks
    tiles = np.empty((nt, PANEL * lanes(c)), c.dtype)
    parts(crew, nt, _gemm_transposed_part, (
        nt, blocks, total, tiles, accumulate, a, lda, k, m, z, z_panel, slot, nv, zeros, c, sums
    ))  # fmt: skip
