"""One pass over all parameters: updates, the gradients' norm, scaling.

In NumPy (see `reference.optim`), for each parameter p with gradient g:

    sgd              p -= lr * g
    adam             m = b1 * m + (1 - b1) * g
                     v = b2 * v + (1 - b2) * g**2
                     p -= rate * m / (sqrt(v) * correction + eps)
    squared_norms    sum((g**2).sum() for g in gradients)
    scale            g *= factor

Parameters are arrays of many sizes, and a call for each would cost more than the small ones take.
So a driver gets a table with a row for each parameter, its size and the addresses of its arrays,
and threads divide the items of all rows as if they stood one after the other; see `_walk`. Each
item is updated by itself and without fast-math, so neither the division among threads nor LLVM's
vectorisation of these loops changes a bit. All of them are bound by memory.

The caller keeps the arrays of a table alive. Each is C-contiguous and of the dtype of `like`.
"""

from __future__ import annotations

import math
from typing import Any

from ..jit import driver, kernel
from ..parts import parts
from ..simd import (
    add_squares_wide,
    flush_denormals,
    hsum,
    lanes,
    load,
    load_n,
    pointer,
    restore_denormals,
    scalar,
    shift,
    wide_zeros,
)

__all__ = ["BLOCK", "adam", "scale", "sgd", "squared_norms"]

# Items of a parameter whose squares are added up by one thread: small enough to balance threads.
BLOCK = 1 << 14

_SIZE = 0  # the column of a table that holds the number of items; addresses follow


@kernel
def _items(table, row, column, begin, like):
    """A pointer to item `begin` of the array whose address stands in a row's `column`."""
    return shift(pointer(table[row, column], like), begin)


def _walk(visit: Any, block: int = 1, flush: bool = True) -> Any:
    """A kernel (q, nt, table, options, like): thread q's part of the items of all rows.

    Each row is cut into blocks of `block` items. Threads divide the blocks of all rows evenly.
    ``visit(table, row, begin, end, before, options, like)`` gets blocks begin … end of a row,
    `before` being how many the rows above have. With `flush` denormals are zero meanwhile.
    """

    @kernel
    def walk(q, nt, table, options, like):
        total = 0
        for row in range(table.shape[0]):
            total += (table[row, _SIZE] + block - 1) // block
        first, last = total * q // nt, total * (q + 1) // nt
        before = 0
        for row in range(table.shape[0]):
            blocks = (table[row, _SIZE] + block - 1) // block
            begin, end = max(first - before, 0), min(last - before, blocks)
            if begin < end:
                visit(table, row, begin, end, before, options, like)
            before += blocks

    @kernel
    def walk_flushed(q, nt, table, options, like):
        mode = flush_denormals()
        walk(q, nt, table, options, like)
        restore_denormals(mode)

    return walk_flushed if flush else walk


# --- Adam -------------------------------------------------------------------------------------


@kernel
def _adam_items(p, g, m, v, n, o, like):
    factor = scalar(like, o[0])
    l2 = scalar(like, o[1])
    decay = scalar(like, o[2])
    keep_m = scalar(like, o[3])
    take_m = scalar(like, o[4])
    keep_v = scalar(like, o[5])
    take_v = scalar(like, o[6])
    correction = scalar(like, o[7])
    eps = scalar(like, o[8])
    rate = scalar(like, o[9])
    for i in range(n):
        grad = g[i] * factor + l2 * p[i]
        m_new = keep_m * m[i] + take_m * grad
        v_new = keep_v * v[i] + take_v * grad * grad
        m[i] = m_new
        v[i] = v_new
        p[i] = p[i] * decay - rate * m_new / (math.sqrt(v_new) * correction + eps)


@kernel
def _adam_row(table, row, begin, end, before, options, like):
    _adam_items(
        _items(table, row, 1, begin, like),
        _items(table, row, 2, begin, like),
        _items(table, row, 3, begin, like),
        _items(table, row, 4, begin, like),
        end - begin,
        options[row],
        like,
    )


_adam_walk = _walk(_adam_row)


@driver
def adam(crew, nt, table, options, like):
    """One step of Adam and of AdamW::

        g = factor·g + l2·p
        m = β1·m + (1 - β1)·g        v = β2·v + (1 - β2)·g²
        p = decay·p - rate·m / (√v · correction + eps)

    Parameters
    ----------
    nt : int
        Threads.
    table : (N, 5) int64
        Size and addresses of p, g, m, v. All but g are written.
    options : (N, 10) float64
        factor, l2, decay, β1, 1 - β1, β2, 1 - β2, correction = 1 / √(1 - β2ᵗ),
        eps, rate = lr / (1 - β1ᵗ).
    like : (…) float32 or float64
        Of the parameters' dtype; not read.
    """
    parts(crew, nt, _adam_walk, (nt, table, options, like))


# --- SGD --------------------------------------------------------------------------------------


@kernel
def _sgd_items(p, g, n, o, like):
    factor = scalar(like, o[0])
    l2 = scalar(like, o[1])
    lr = scalar(like, o[2])
    for i in range(n):
        p[i] = p[i] - lr * (g[i] * factor + l2 * p[i])


@kernel
def _sgd_momentum_items(p, g, b, n, o, like):
    factor = scalar(like, o[0])
    l2 = scalar(like, o[1])
    lr = scalar(like, o[2])
    keep = scalar(like, o[3])
    take = scalar(like, o[4])
    ahead = scalar(like, o[5])
    if ahead != 0:
        for i in range(n):
            grad = g[i] * factor + l2 * p[i]
            b_new = keep * b[i] + take * grad
            b[i] = b_new
            p[i] = p[i] - lr * (grad + ahead * b_new)
    else:
        for i in range(n):
            b_new = keep * b[i] + take * (g[i] * factor + l2 * p[i])
            b[i] = b_new
            p[i] = p[i] - lr * b_new


@kernel
def _sgd_row(table, row, begin, end, before, options, like):
    p, g = _items(table, row, 1, begin, like), _items(table, row, 2, begin, like)
    if table[row, 3] == 0:
        _sgd_items(p, g, end - begin, options[row], like)
    else:
        b = _items(table, row, 3, begin, like)
        _sgd_momentum_items(p, g, b, end - begin, options[row], like)


_sgd_walk = _walk(_sgd_row)


@driver
def sgd(crew, nt, table, options, like):
    """One step of stochastic gradient descent::

        g = factor·g + l2·p
        b = keep·b + take·g          (where there is momentum)
        p = p - lr·g                 (without momentum)
        p = p - lr·b                 (with it)
        p = p - lr·(g + ahead·b)     (Nesterov's)

    Parameters
    ----------
    nt : int
        Threads.
    table : (N, 4) int64
        Size and addresses of p, g, b; b is 0 without momentum. p and b are written.
    options : (N, 6) float64
        factor, l2, lr, keep, take, ahead; ahead is 0 unless Nesterov's.
    like : (…) float32 or float64
        Of the parameters' dtype; not read.
    """
    parts(crew, nt, _sgd_walk, (nt, table, options, like))


# --- the norm ---------------------------------------------------------------------------------


@kernel
def _sum_of_squares(g, n):
    width = lanes(g)
    # Four sums, as one alone would wait for the latency of each addition.
    s0 = wide_zeros()
    s1 = wide_zeros()
    s2 = wide_zeros()
    s3 = wide_zeros()
    i = 0
    while i + 4 * width <= n:
        s0 = add_squares_wide(s0, load(g, i))
        s1 = add_squares_wide(s1, load(g, i + width))
        s2 = add_squares_wide(s2, load(g, i + 2 * width))
        s3 = add_squares_wide(s3, load(g, i + 3 * width))
        i += 4 * width
    while i + width <= n:
        s0 = add_squares_wide(s0, load(g, i))
        i += width
    if i < n:
        s0 = add_squares_wide(s0, load_n(g, i, n - i))
    return hsum((s0 + s1) + (s2 + s3))


@kernel
def _squared_norm_blocks(table, row, begin, end, before, sums, like):
    size = table[row, _SIZE]
    for block in range(begin, end):
        start = block * BLOCK
        g = _items(table, row, 1, start, like)
        sums[before + block] = _sum_of_squares(g, min(BLOCK, size - start))


_squared_norms_walk = _walk(_squared_norm_blocks, BLOCK, flush=False)


@driver
def squared_norms(crew, nt, table, sums, like):
    """Sums of squares for each block of `BLOCK` items of each row, row after row.

    Denormals count: they are not flushed here.

    Parameters
    ----------
    nt : int
        Threads.
    table : (N, 2) int64
        Size and address of g.
    sums : (Σ ceil(size / BLOCK),) float64
        Written.
    like : (…) float32 or float64
        Of the dtype of g; not read.
    """
    parts(crew, nt, _squared_norms_walk, (nt, table, sums, like))


# --- scaling ----------------------------------------------------------------------------------


@kernel
def _scale_items(g, n, factor):
    for i in range(n):
        g[i] = g[i] * factor


@kernel
def _scale_row(table, row, begin, end, before, factor, like):
    _scale_items(_items(table, row, 1, begin, like), end - begin, scalar(like, factor))


_scale_walk = _walk(_scale_row)


@driver
def scale(crew, nt, table, factor, like):
    """g = factor·g for every row.

    Parameters
    ----------
    nt : int
        Threads.
    table : (N, 2) int64
        Size and address of g, which is written.
    factor : float
    like : (…) float32 or float64
        Of the dtype of g; not read.
    """
    parts(crew, nt, _scale_walk, (nt, table, factor, like))
