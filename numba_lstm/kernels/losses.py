"""Losses and their gradients in one pass.

Each thread computes whole rows (cross entropy) or whole blocks of `BLOCK` items (losses of pairs).
The loss of each row or block is one float64, and the caller adds them up in order. So no result
depends on the number of threads. The plain lines are in `reference.losses`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ..jit import driver, kernel
from ..parts import parts
from ..simd import (
    Vector,
    add_squares_wide,
    add_wide,
    at,
    flush_denormals,
    fma,
    hmax,
    hsum,
    lanes,
    load,
    load_n,
    polynomial,
    restore_denormals,
    scalar,
    store,
    store_n,
    vmax,
    vmin,
    where_gt,
    wide_zeros,
    zeros_like,
)
from .activations import exp

__all__ = ["BLOCK", "binary_cross_entropy", "cross_entropy", "mse", "ones"]

# Items whose losses are added up by one thread: 32 KB of float32, so that a block of each operand
# fits into L2, and a pool of threads is not woken for less than a few of them.
BLOCK = 8192

# `load_n` of n of these makes a mask: the first n lanes are 1, the others 0. No vector has over 16.
ones = {dtype: np.ones(16, dtype) for dtype in (np.dtype(np.float32), np.dtype(np.float64))}


# --- cross entropy ----------------------------------------------------------------------------


@kernel
def _row_max(x, n, mask):
    """max x[:n]; the mask's lanes are 1 for the items after the last full vector."""
    width = lanes(x)
    low = zeros_like(mask) - math.inf
    # Four maxima, as one alone would wait for the latency of each comparison.
    m0 = low
    m1 = low
    m2 = low
    m3 = low
    i = 0
    while i + 4 * width <= n:
        m0 = vmax(load(x, i), m0)
        m1 = vmax(load(x, i + width), m1)
        m2 = vmax(load(x, i + 2 * width), m2)
        m3 = vmax(load(x, i + 3 * width), m3)
        i += 4 * width
    while i + width <= n:
        m0 = vmax(load(x, i), m0)
        i += width
    if i < n:
        m1 = vmax(where_gt(mask, 0.5, load_n(x, i, n - i), low), m1)
    return hmax(vmax(vmax(m0, m1), vmax(m2, m3)))


@kernel
def _row_exp(x, n, mask, shift, out):
    """out[:n] = exp(x[:n] - shift); returns its sum, in float64."""
    width = lanes(x)
    total = wide_zeros()
    i = 0
    while i + width <= n:
        e = exp(load(x, i) - shift)
        store(out, i, e)
        total = add_wide(total, e)
        i += width
    if i < n:
        e = where_gt(mask, 0.5, exp(load_n(x, i, n - i) - shift), zeros_like(mask))
        store_n(out, i, e, n - i)
        total = add_wide(total, e)
    return hsum(total)


@kernel
def _row_scale(x, n, factor):
    """x[:n] *= factor"""
    width = lanes(x)
    i = 0
    while i + width <= n:
        store(x, i, load(x, i) * factor)
        i += width
    if i < n:
        store_n(x, i, load_n(x, i, n - i) * factor, n - i)


@kernel
def _cross_entropy_rows(q, nt, logits, targets, weight, keep, dlogits, losses, one):
    before = flush_denormals()
    rows, n = logits.shape
    mask = load_n(at(one, (0,)), 0, n % lanes(logits))
    for row in range(rows * q // nt, rows * (q + 1) // nt):
        target = targets[row]
        if target < 0:
            losses[row] = 0.0
            if keep:
                dlogits[row] = 0
            continue
        x = at(logits, (row, 0))
        out = at(dlogits, (row if keep else q, 0))
        shift = _row_max(x, n, mask)
        total = _row_exp(x, n, mask, shift, out)
        losses[row] = math.log(total) + (np.float64(shift) - np.float64(logits[row, target]))
        if keep:
            _row_scale(out, n, scalar(logits, weight / total))
            dlogits[row, target] -= scalar(logits, weight)
    restore_denormals(before)


@driver
def cross_entropy(crew, nt, logits, targets, weight, keep, dlogits, losses, one):
    """Cross entropy: each row's loss, and weight·(softmax - onehot); see `reference.losses`::

        e = exp(logits - logits.max(1, keepdims=True))
        losses = log(e.sum(1)) - (logits - logits.max(1, keepdims=True))[rows, targets]
        dlogits = weight * (e / e.sum(1, keepdims=True) - onehot(targets))

    A row stays in the core's cache between its three passes: maximum, exponentials, scaling.

    Parameters
    ----------
    nt : int
        Threads.
    logits : (N, V) float32 or float64
    targets : (N,) int64
        Below V; not checked. A row with a negative target has loss 0 and gradient 0.
    weight : float
        1 / the number of rows that count.
    keep : bool
        Whether the gradient is wanted.
    dlogits : (N, V), or (nt, V) of scratch without `keep`
        Written.
    losses : (N,) float64
        Written.
    one : (16,)
        `ones` of the logits' dtype.
    """
    parts(crew, nt, _cross_entropy_rows, (nt, logits, targets, weight, keep, dlogits, losses, one))


# --- losses of pairs ----------------------------------------------------------------------------


def _blocks_of(item: Any, add: Any) -> Any:
    """A kernel (q, nt, x, target, factor, dx, losses, one): thread q's blocks of `BLOCK` pairs.

    ``item(x, target)`` gives two vectors: what ``add(total, vector)`` adds up to a block's loss,
    and the slope, of which factor times is dx.
    """

    @kernel
    def one_block(x, target, n, factor, dx, one):
        width = lanes(x)
        total = wide_zeros()
        i = 0
        while i + width <= n:
            loss, slope = item(load(x, i), load(target, i))
            store(dx, i, slope * factor)
            total = add(total, loss)
            i += width
        if i < n:
            loss, slope = item(load_n(x, i, n - i), load_n(target, i, n - i))
            store_n(dx, i, slope * factor, n - i)
            mask = load_n(one, 0, n - i)
            total = add(total, where_gt(mask, 0.5, loss, zeros_like(loss)))
        return hsum(total)

    @kernel
    def blocks_of_thread(q, nt, x, target, factor, dx, losses, one):
        before = flush_denormals()
        blocks = losses.size
        for block in range(blocks * q // nt, blocks * (q + 1) // nt):
            start = block * BLOCK
            n = min(BLOCK, x.size - start)
            here = (start,)
            losses[block] = one_block(
                at(x, here), at(target, here), n, scalar(x, factor), at(dx, here), at(one, (0,))
            )
        restore_denormals(before)

    return blocks_of_thread


@kernel
def _mse_item(y, target):
    d = y - target
    return d, d


_mse_blocks = _blocks_of(_mse_item, add_squares_wide)


@driver
def mse(crew, nt, y, target, factor, dy, losses, one):
    """Mean squared error: ``losses[b] = ((y - target)**2)[block b].sum()``.

    And ``dy = factor * (y - target)``; see `reference.losses.mse`.

    Parameters
    ----------
    nt : int
        Threads.
    y, target : (N,) float32 or float64
    factor : float
        2 / N.
    dy : (N,)
        Written.
    losses : (ceil(N / BLOCK),) float64
        Written.
    one : (16,)
        `ones` of the dtype of y.
    """
    parts(crew, nt, _mse_blocks, (nt, y, target, factor, dy, losses, one))


# log(1 + e) = 2 artanh(s) with s = e / (2 + e) ≤ 1/3, and artanh(s) = s·Σ s²ᵏ / (2k + 1): the terms
# left out are below 3e-9 of the sum with 8 and below 2e-17 with 16.
_ARTANH_SINGLE = tuple(1.0 / (2 * k + 1) for k in reversed(range(8)))
_ARTANH_DOUBLE = tuple(1.0 / (2 * k + 1) for k in reversed(range(16)))


def _log1p_unit(e):
    """log(1 + e) for 0 ≤ e ≤ 1."""
    raise TypeError("_log1p_unit: to be called on vectors inside a kernel")


@overload(_log1p_unit)
def _log1p_unit_overload(e):
    if not isinstance(e, Vector):
        return None
    terms = _ARTANH_SINGLE if e.dtype is types.float32 else _ARTANH_DOUBLE

    def implementation(e):
        s = e / (e + 2.0)
        return (s + s) * polynomial(s * s, terms)

    return implementation


@kernel
def _binary_item(x, target):
    """The loss and its derivative: max(x, 0) - x·t + log(1 + exp(-|x|)), and σ(x) - t."""
    zero = zeros_like(x)
    e = exp(vmin(x, x * -1.0))
    loss = fma(x * -1.0, target, vmax(x, zero)) + _log1p_unit(e)
    return loss, where_gt(x, zero, zero + 1.0, e) / (e + 1.0) - target


_binary_blocks = _blocks_of(_binary_item, add_wide)


@driver
def binary_cross_entropy(crew, nt, x, target, factor, dx, losses, one):
    """Binary cross entropy: ``losses[b] = item_loss[block b].sum()``.

    ``item_loss = maximum(x, 0) - x * target + log1p(exp(-abs(x)))`` and ``dx = factor * (σ(x) -
    target)``; see `reference.losses.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    nt : int
        Threads.
    x, target : (N,) float32 or float64
    factor : float
        1 / N.
    dx : (N,)
        Written.
    losses : (ceil(N / BLOCK),) float64
        Written.
    one : (16,)
        `ones` of the dtype of x.
    """
    parts(crew, nt, _binary_blocks, (nt, x, target, factor, dx, losses, one))
