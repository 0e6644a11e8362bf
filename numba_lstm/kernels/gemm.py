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
from ..parts import fine_parts, pieces
from ..simd import (
    BLOCKS,
    PANEL,
    STRIP,
    at,
    flush_denormals,
    gemm_tile,
    gemm_tile_t,
    lanes,
    load,
    load_n,
    restore_denormals,
    shift,
    store,
    store_n,
)
from .blocks import MR, first, row_block
from .scratch import scratch_rows

__all__ = ["TRANSPOSED_SCRATCH", "gemm", "gemm_transposed"]

ROWS_AT_ONCE = tuning.GEMM_ROWS
K_AT_ONCE = tuning.GEMM_TRANSPOSED_K
K_OF_SWEEPS = max(1, K_AT_ONCE * STRIP // PANEL)
K_OF_GEMM = tuning.GEMM_K
_MR_3 = BLOCKS[3].mr
BLOCKS_AT_ONCE = tuning.GEMM_TRANSPOSED_BLOCKS
# Items that a thread of `gemm_transposed` needs for blocks of A, for vectors of any width.
TRANSPOSED_SCRATCH = BLOCKS_AT_ONCE * (K_AT_ONCE * max(MR, _MR_3) + 16)


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
def _load_tile(c, stride, m, nv, n, tile):
    """Copy the first `n` columns of m rows of c to the tile, of nv vectors a row."""
    v = lanes(tile)
    for i in range(m):
        for j in range(nv):
            x = load_n(c, i * stride + j * v, max(0, min(v, n - j * v)))
            store(tile, (i * nv + j) * v, x)


@kernel
def _gemm_panel(
    strip, more, a, lda, segments, a_stride, k, w, w_strip, bias, c, c_row, n, rows, tile
):  # fmt: skip
    """One panel of C for `rows` rows. Arrays are pointers, strides count items; see `gemm`.

    It starts from the bias, or with `more` from what stands in C.
    """
    v = lanes(a)
    nv = min(PANEL, (n + v - 1) // v)
    computed = min(nv, strip) if strip == 3 else nv
    whole = nv * v <= n
    r = 0
    while r < rows:
        m = row_block(rows - r, strip)
        here = shift(c, r * c_row)
        out, ldc = (here, c_row) if whole else (tile, nv * v)
        if more and not whole:
            _load_tile(here, c_row, m, nv, n, tile)
        start, stride = (out, ldc) if more else (bias, 0)
        gemm_tile(
            strip, m, computed, shift(a, r * lda), lda, segments, a_stride, k, w, w_strip, start,
            stride, out, ldc,
        )  # fmt: skip
        if not more:
            for i in range(m):  # what no weight reaches
                for j in range(computed, nv):
                    store(out, i * ldc + j * v, load(bias, j * v))
        if not whole:
            _store_tile(tile, m, nv, here, c_row, n)
        r += m


@kernel
def _gemm_rows(r0, r1, p0, p1, a, lda, segments, a_stride, k, w, bias, c, c_panel, c_row, n, tile):
    """Rows r0 … r1 of panels p0 … p1 of C.

    The sum goes in pieces of about K_OF_GEMM terms: a block's rows of A stay in the first cache
    while all its strips pass, and a piece of a strip while all blocks of rows pass.
    """
    width = PANEL * lanes(c)
    strip = w.shape[2] // lanes(c)
    w_strip = w.shape[1] * w.shape[2]
    strips = 1 if strip == 3 else PANEL // strip
    parts = segments if segments > 1 else k
    sweeps = max(1, min(parts, (segments * k + K_OF_GEMM // 2) // K_OF_GEMM))
    for sweep in range(sweeps):
        t0, t1 = first(sweep, sweeps, parts), first(sweep + 1, sweeps, parts)
        some, length, column, row = t1 - t0, k, t0 * a_stride, t0 * k
        if segments == 1:
            some, length, column, row = 1, t1 - t0, t0, t0
        for p in range(p0, p1):
            _gemm_panel(
                strip, sweep > 0, at(a, (r0 * lda + column,)), lda, some, a_stride, length,
                at(w, (p * strips, row, 0)), w_strip, at(bias, (p, 0)),
                at(c, (p * c_panel + r0 * c_row,)), c_row, n - p * width, r1 - r0, tile,
            )  # fmt: skip


@kernel
def _gemm_part(
    q, nt, by_rows, blocks, panels, tiles,
    a, lda, segments, a_stride, k, m, w, bias, c, c_panel, c_row, n,
):  # fmt: skip
    state = flush_denormals()
    p0, p1, b0, b1 = 0, panels, 0, blocks
    if by_rows:
        b0, b1 = first(q, nt, blocks), first(q + 1, nt, blocks)
    else:
        p0, p1 = first(q, nt, panels), first(q + 1, nt, panels)
    for block in range(b0, b1):
        r0, r1 = first(block, blocks, m), first(block + 1, blocks, m)
        _gemm_rows(
            r0, r1, p0, p1, a, lda, segments, a_stride, k, w, bias, c, c_panel, c_row, n,
            at(tiles, (q, 0)),
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
    w : (strips, ≥ segments·k, strip·V), of a's dtype
        Packed by `pack.pack_rows` or `pack.pack_columns`. Rows past segments·k are not read. Where
        strips have 3 vectors, the last vector of each panel of C is the bias alone.
    bias : (panels, PANEL·V), of a's dtype
        b in the order of C's columns; zeros for none.
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
    cut = pieces(crew, nt)
    tiles = scratch_rows(nt * cut, max(MR, _MR_3) * width, c)
    fine_parts(crew, nt, cut, _gemm_part, (
        nt * cut, by_rows, blocks, panels, tiles,
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
def _pack_blocks(a, lda, k, m, mr, starts, out, out_block):
    """``out[i, k, j] = A[k, starts[i] + j]``: block i of A's columns begins at starts[i].

    A row of a block takes mr items of `out`. It is copied in whole vectors, and what they have too
    much is overwritten by the next row, or stands in the unused end of the block.
    """
    v = lanes(a)
    for row in range(k):
        here = shift(a, row * lda)
        for i in range(starts.size - 1):
            i0 = starts[i]
            place = shift(out, i * out_block + row * mr)
            for j in range(0, mr, v):
                if i0 + j + v <= m:
                    store(place, j, load(here, i0 + j))
                else:
                    store(place, j, load_n(here, i0 + j, max(0, m - i0 - j)))


@kernel
def _transposed_panel(
    strip, nv, a, a_block, lda, k, z, fresh, zeros, c, starts, i0, i1
):  # fmt: skip
    """Blocks i0 … i1 of one panel of C += A.T @ Z, for k terms; with `fresh` C was not there."""
    v = lanes(a)
    width = PANEL * v
    for k1 in range(0, k, K_OF_SWEEPS):
        terms = min(K_OF_SWEEPS, k - k1)
        rows = shift(z, k1 * width)
        for i in range(i0, i1):
            column = i * a_block if a_block else starts[i]
            out = shift(c, starts[i] * width)
            new = fresh and k1 == 0
            start, stride = (zeros, 0) if new else (out, width)
            gemm_tile_t(
                strip, starts[i + 1] - starts[i], nv, shift(a, k1 * lda + column), lda, 1, 0, terms,
                rows, 0, start, stride, out, width,
            )  # fmt: skip


@kernel
def _gemm_transposed_part(
    q, nt, strip, mr, blocks, total, tiles, starts, accumulate, a, lda, k, m, z, z_panel, slot, nv,
    zeros, c, sums, packed,
):  # fmt: skip
    v = lanes(c)
    width = PANEL * v
    state = flush_denormals()
    # Threads share pairs (panel, block of C's rows). With few panels, sharing panels alone
    # would leave threads idle.
    begin, end = first(q, nt, total), first(q + 1, nt, total)
    pack = packed.shape[0] > 0
    at_once = BLOCKS_AT_ONCE if pack else blocks
    for k0 in range(0, k, K_AT_ONCE):
        kc = min(K_AT_ONCE, k - k0)
        fresh = k0 == 0 and not accumulate
        for b0 in range(0, blocks, at_once):
            b1 = min(blocks, b0 + at_once)
            here, here_lda, a_block = at(a, (k0 * lda,)), lda, 0
            some = starts[b0 : b1 + 1]
            if pack:
                _pack_blocks(here, lda, kc, m, mr, some, at(packed, (q, 0)), K_AT_ONCE * mr + v)
                here, here_lda, a_block = at(packed, (q, 0)), mr, K_AT_ONCE * mr + v
            for p in range(begin // blocks, (end + blocks - 1) // blocks):
                i0, i1 = max(b0, begin - p * blocks), min(b1, end - p * blocks)
                rows = at(z, (p * z_panel + k0 * width,))
                if i0 == 0 and i0 < i1 and p < sums.shape[0]:
                    if fresh:
                        sums[p] = 0
                    _add_column_sums(rows, kc, at(tiles, (q, 0)), sums[p])
                _transposed_panel(
                    strip, nv, here, a_block, here_lda, kc, shift(rows, slot * v), fresh,
                    at(zeros, (0,)), at(c, (p, 0, slot * v)), some, i0 - b0, i1 - b0,
                )  # fmt: skip
    restore_denormals(state)


@driver
def gemm_transposed(
    crew, nt, accumulate, a, lda, k, m, z, z_panel, panels, slot, nv, zeros, c, sums, packed
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
    packed : (≥ nt, ≥ TRANSPOSED_SCRATCH), of a's dtype, overwritten; or of no rows
        Memory to which each thread copies blocks of A that many panels use. Where workers are late
        each thread's part is cut into no more pieces than have a row, and panels enough, each.
    """
    strip = 3 if nv == 3 else STRIP
    mr = _MR_3 if nv == 3 else MR
    blocks = (m + mr - 1) // mr
    total = panels * blocks
    cut = pieces(crew, nt)
    if packed.shape[0] > 0:  # each piece copies its blocks of A, which must be worth it
        cut = min(
            cut, packed.shape[0] // nt, max(1, panels // (tuning.GEMM_TRANSPOSED_PANELS * nt))
        )
    tiles = scratch_rows(nt * cut, PANEL * lanes(c), c)
    starts = np.empty(blocks + 1, np.int64)
    for i in range(blocks + 1):
        starts[i] = first(i, blocks, m)
    fine_parts(crew, nt, cut, _gemm_transposed_part, (
        nt * cut, strip, mr, blocks, total, tiles, starts, accumulate, a, lda, k, m, z, z_panel,
        slot, nv, zeros, c, sums, packed,
    ))  # fmt: skip
