"""One pass over all parameters: updates, the gradients' norm, scaling.

Parameters are arrays of many sizes, and a call for each would cost more than the small ones take.
So a kernel gets a table of addresses, a row for each parameter, and threads divide the items of all
of them as if they stood one after the other. The updates are item by item, without fast-math: every
operation rounds on its own, so neither the division among threads nor LLVM's vectorisation of these
loops changes a bit. All of them are bound by memory.

The caller keeps the arrays of a table alive; each is C-contiguous and of the dtype of `like`.
"""

from __future__ import annotations

import math

from ..jit import driver, kernel, prange
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
def _share(q, nt, table):
    """The first and the end of thread q's items, counted over all rows."""
    total = table[:, _SIZE].sum()
    return total * q // nt, total * (q + 1) // nt


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
def _adam_share(q, nt, table, options, like):
    before = flush_denormals()
    first, end = _share(q, nt, table)
    base = 0
    for row in range(table.shape[0]):
        size = table[row, _SIZE]
        low, high = max(first - base, 0), min(end - base, size)
        if low < high:
            _adam_items(
                shift(pointer(table[row, 1], like), low),
                shift(pointer(table[row, 2], like), low),
                shift(pointer(table[row, 3], like), low),
                shift(pointer(table[row, 4], like), low),
                high - low,
                options[row],
                like,
            )
        base += size
    restore_denormals(before)


@driver
def adam(nt, table, options, like):
    """One step of Adam and of AdamW::

        g = factor·g + l2·p
        m = β1·m + (1 - β1)·g        v = β2·v + (1 - β2)·g²
        p = decay·p - rate·m / (√v · correction + eps)

    Parameters
    ----------
    nt : int
        Threads.
    table : array of int64, shape (N, 5)
        Size and addresses of p, g, m, v. All but g are written.
    options : array of float64, shape (N, 10)
        factor, l2, decay, β1, 1 - β1, β2, 1 - β2, correction = 1 / √(1 - β2ᵗ),
        eps, rate = lr / (1 - β1ᵗ).
    like : array
        Of the parameters' dtype; not read.
    """
    for q in prange(nt):
        _adam_share(q, nt, table, options, like)


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
def _sgd_share(q, nt, table, options, like):
    before = flush_denormals()
    first, end = _share(q, nt, table)
    base = 0
    for row in range(table.shape[0]):
        size = table[row, _SIZE]
        low, high = max(first - base, 0), min(end - base, size)
        if low < high:
            p = shift(pointer(table[row, 1], like), low)
            g = shift(pointer(table[row, 2], like), low)
            if table[row, 3] == 0:
                _sgd_items(p, g, high - low, options[row], like)
            else:
                b = shift(pointer(table[row, 3], like), low)
                _sgd_momentum_items(p, g, b, high - low, options[row], like)
        base += size
    restore_denormals(before)


@driver
def sgd(nt, table, options, like):
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
    table : array of int64, shape (N, 4)
        Size and addresses of p, g, b; b is 0 without momentum. p and b are written.
    options : array of float64, shape (N, 6)
        factor, l2, lr, keep, take, ahead; ahead is 0 unless Nesterov's.
    like : array
        Of the parameters' dtype; not read.
    """
    for q in prange(nt):
        _sgd_share(q, nt, table, options, like)


# --- the norm ---------------------------------------------------------------------------------


@kernel
def _sum_of_squares(g, n):
    width = lanes(g)
    # Four chains: one would wait for the latency of each addition.
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
def _squared_norm_blocks(q, nt, table, sums, like):
    first, end = sums.size * q // nt, sums.size * (q + 1) // nt
    base = 0
    for row in range(table.shape[0]):
        size = table[row, _SIZE]
        blocks = (size + BLOCK - 1) // BLOCK
        g = pointer(table[row, 1], like)
        for block in range(max(first - base, 0), min(end - base, blocks)):
            start = block * BLOCK
            sums[base + block] = _sum_of_squares(shift(g, start), min(BLOCK, size - start))
        base += blocks


@driver
def squared_norms(nt, table, sums, like):
    """Sums of squares for each block of `BLOCK` items of each row, row after row.

    Parameters
    ----------
    nt : int
        Threads.
    table : array of int64, shape (N, 2)
        Size and address of g.
    sums : array of float64, shape (Σ ceil(size / BLOCK),)
        Written.
    like : array
        Of the dtype of g; not read.
    """
    for q in prange(nt):
        _squared_norm_blocks(q, nt, table, sums, like)


# --- scaling ----------------------------------------------------------------------------------


@kernel
def _scale_items(g, n, factor):
    for i in range(n):
        g[i] = g[i] * factor


@kernel
def _scale_share(q, nt, table, factor, like):
    before = flush_denormals()
    first, end = _share(q, nt, table)
    base = 0
    for row in range(table.shape[0]):
        size = table[row, _SIZE]
        low, high = max(first - base, 0), min(end - base, size)
        if low < high:
            g = shift(pointer(table[row, 1], like), low)
            _scale_items(g, high - low, scalar(like, factor))
        base += size
    restore_denormals(before)


@driver
def scale(nt, table, factor, like):
    """g = factor·g for every row.

    Parameters
    ----------
    nt : int
        Threads.
    table : array of int64, shape (N, 2)
        Size and address of g, which is written.
    factor : float
    like : array
        Of the dtype of g; not read.
    """
    for q in prange(nt):
        _scale_share(q, nt, table, factor, like)
