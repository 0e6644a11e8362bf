"""Column sums of a matrix: the gradient of a bias."""

from __future__ import annotations

import numpy as np

from ..jit import driver, kernel
from ..parts import parts
from ..simd import at, flush_denormals, lanes, load, restore_denormals, store
from .blocks import first

__all__ = ["column_sums"]


@kernel
def _add_eight(a, r, begin, end, scratch):
    """scratch = the sum of rows r … r + 8 as a tree of additions: three roundings, not eight."""
    for j in range(begin, end, lanes(a)):
        x0 = load(at(a, (r, j)), 0) + load(at(a, (r + 1, j)), 0)
        x1 = load(at(a, (r + 2, j)), 0) + load(at(a, (r + 3, j)), 0)
        x2 = load(at(a, (r + 4, j)), 0) + load(at(a, (r + 5, j)), 0)
        x3 = load(at(a, (r + 6, j)), 0) + load(at(a, (r + 7, j)), 0)
        store(at(scratch, (j,)), 0, (x0 + x1) + (x2 + x3))


@kernel
def _column_sums_part(q, nt, a, scratch, sums):
    rows, columns = a.shape
    v = lanes(a)
    vectors = columns // v
    state = flush_denormals()
    begin, end = first(q, nt, vectors) * v, first(q + 1, nt, vectors) * v
    last = columns if q == nt - 1 else end
    sums[begin:last] = 0
    for r in range(0, rows - 7, 8):
        _add_eight(a, r, begin, end, scratch)
        for j in range(begin, end):
            sums[j] += np.float64(scratch[j])
        for j in range(end, last):
            for i in range(r, r + 8):
                sums[j] += np.float64(a[i, j])
    for r in range(rows // 8 * 8, rows):
        for j in range(begin, last):
            sums[j] += np.float64(a[r, j])
    restore_denormals(state)


@driver
def column_sums(crew, nt, a, scratch, sums):
    """``sums = a.sum(0)``: eight rows at a time in a's dtype, and these sums in float64.

    Threads split the columns. Each item of `a` is read once.

    Parameters
    ----------
    nt : int
        Threads.
    a : (rows, columns) float32 or float64
    scratch : (columns,), of a's dtype, overwritten
    sums : (columns,) float64, written
    """
    parts(crew, nt, _column_sums_part, (nt, a, scratch, sums))
