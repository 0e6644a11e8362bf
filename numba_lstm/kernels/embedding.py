"""Rows of a table by number: gathered going forward, scattered back with addition.

In NumPy: ``out = table[tokens]`` and ``numpy.add.at(out, tokens, rows)``; see
`reference.embedding`. Threads split what is written: tokens when gathering, columns when
scattering. So one thread adds up each sum, in the order of the tokens, and the bits do not depend
on the number of threads.
"""

from __future__ import annotations

import numpy as np

from ..jit import driver, kernel
from ..parts import parts

__all__ = ["gather_rows", "scatter_add_rows"]

# Columns are split at whole cache lines (of float32), so that no two threads write to one line.
LINE = 16


@kernel
def _gather(tokens, table, out, first, last):
    for n in range(first, last):
        # A signed index may count from the end, and numba would test for that each time.
        row = np.uint64(tokens[n])
        for e in range(table.shape[1]):
            out[n, e] = table[row, e]


@kernel
def _gather_part(q, nt, tokens, table, out):
    count = tokens.shape[0]
    _gather(tokens, table, out, count * q // nt, count * (q + 1) // nt)


@driver
def gather_rows(crew, nt, tokens, table, out):
    """out[n] = table[tokens[n]].

    Parameters
    ----------
    nt : int
        Threads.
    tokens : (N,) int64
        0 ≤ token < V; not checked.
    table : (V, E), C-contiguous
    out : (N, E), C-contiguous, of table's dtype
        Overwritten. May not overlap `table`.
    """
    parts(crew, nt, _gather_part, (nt, tokens, table, out))


@kernel
def _scatter_add(tokens, rows, out, skip, first, last):
    for n in range(tokens.shape[0]):
        if tokens[n] != skip:
            row = np.uint64(tokens[n])
            for e in range(first, last):
                out[row, np.uint64(e)] += rows[n, np.uint64(e)]


@kernel
def _scatter_add_part(q, nt, tokens, rows, out, skip):
    width = out.shape[1]
    lines = (width + LINE - 1) // LINE
    first = min(width, LINE * (lines * q // nt))
    last = min(width, LINE * (lines * (q + 1) // nt))
    if first < last:
        _scatter_add(tokens, rows, out, skip, first, last)


@driver
def scatter_add_rows(crew, nt, tokens, rows, out, skip):
    """out[tokens[n]] += rows[n], for n = 0, 1, … in this order.

    Parameters
    ----------
    nt : int
        Threads. They split the columns.
    tokens : (N,) int64
        0 ≤ token < V; not checked.
    rows : (N, E), C-contiguous
    out : (V, E), C-contiguous, of rows' dtype
        Added to. May not overlap `rows`.
    skip : int
        Rows of this token are left out; -1 for none.
    """
    parts(crew, nt, _scatter_add_part, (nt, tokens, rows, out, skip))
