"""Losses and their gradients in one pass over the logits.

Threads own whole rows, or whole blocks of `BLOCK` items; each row's or block's loss is a float64 of
its own, which the caller adds up in order. So no result depends on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from ..jit import driver, kernel, prange
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

# Masks are made of it: the first n lanes of a vector are 1, the others 0. A vector has at most 16.
ones = {dtype: np.ones(16, dtype) for dtype in (np.dtype(np.float32), np.dtype(np.float64))}


# --- cross entropy ----------------------------------------------------------------------------


@kernel
def _row_max(x, n, mask):
    """max x[:n]; the mask's lanes are 1 for the items after the last full vector."""
    width = lanes(x)
    low = zeros_like(mask) - math.inf
    # Four chains: one would wait for the latency of each maximum.
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
def cross_entropy(nt, logits, targets, weight, keep, dlogits, losses, one):
    """Each row's loss, and weight·(softmax - onehot).

    ``losses[r] = log Σ_v exp(logits[r, v]) - logits[r, targets[r]]``, computed relative to the
    row's maximum; ``dlogits[r, v] = weight·(exp(logits[r, v]) / Σ - [v = targets[r]])``. A row
    stays in the core's own cache between its three passes: maximum, exponentials, scaling.

    Parameters
    ----------
    nt : int
        Threads.
    logits : array, shape (N, V)
    targets : array of int64, shape (N,)
        Below V. A row whose target is negative has no loss and no gradient.
    weight : float
        What each row counts: 1 / rows that count.
    keep : bool
        Whether the gradient is wanted.
    dlogits : array, shape (N, V); (nt, V) of scratch where it is not wanted
        Written.
    losses : array of float64, shape (N,)
        Written.
    one : array
        `ones` of the logits' dtype.
    """
    for q in prange(nt):
        _cross_entropy_rows(q, nt, logits, targets, weight, keep, dlogits, losses, one)


# --- mean squared error -----------------------------------------------------------------------


@kernel
def _mse_block(y, target, n, factor, dy):
    width = lanes(y)
    total = wide_zeros()
    i = 0
    while i + width <= n:
        d = load(y, i) - load(target, i)
        store(dy, i, d * factor)
        total = add_squares_wide(total, d)
        i += width
    if i < n:
        d = load_n(y, i, n - i) - load_n(target, i, n - i)
        store_n(dy, i, d * factor, n - i)
        total = add_squares_wide(total, d)
    return hsum(total)


@kernel
def _mse_blocks(q, nt, y, target, weight, dy, losses):
    before = flush_denormals()
    blocks = losses.size
    for block in range(blocks * q // nt, blocks * (q + 1) // nt):
        start = block * BLOCK
        n = min(BLOCK, y.size - start)
        place = (start,)
        losses[block] = _mse_block(
            at(y, place), at(target, place), n, scalar(y, 2.0 * weight), at(dy, place)
        )
    restore_denormals(before)


@driver
def mse(nt, y, target, weight, dy, losses):
    """Sums of (y - target)² for each block of `BLOCK` items, and dy = 2·weight·(y - target).

    Parameters
    ----------
    nt : int
        Threads.
    y, target : array, shape (N,)
    weight : float
        1 / N.
    dy : array, shape (N,)
        Written.
    losses : array of float64, shape (ceil(N / BLOCK),)
        Written.
    """
    for q in prange(nt):
        _mse_blocks(q, nt, y, target, weight, dy, losses)


# --- binary cross entropy ---------------------------------------------------------------------

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


@kernel
def _binary_block(x, target, n, factor, dx, one):
    width = lanes(x)
    total = wide_zeros()
    i = 0
    while i + width <= n:
        loss, slope = _binary_item(load(x, i), load(target, i))
        store(dx, i, slope * factor)
        total = add_wide(total, loss)
        i += width
    if i < n:
        loss, slope = _binary_item(load_n(x, i, n - i), load_n(target, i, n - i))
        store_n(dx, i, slope * factor, n - i)
        mask = load_n(one, 0, n - i)
        total = add_wide(total, where_gt(mask, 0.5, loss, zeros_like(loss)))
    return hsum(total)


@kernel
def _binary_blocks(q, nt, x, target, weight, dx, losses, one):
    before = flush_denormals()
    blocks = losses.size
    for block in range(blocks * q // nt, blocks * (q + 1) // nt):
        start = block * BLOCK
        n = min(BLOCK, x.size - start)
        place = (start,)
        losses[block] = _binary_block(
            at(x, place), at(target, place), n, scalar(x, weight), at(dx, place), at(one, (0,))
        )
    restore_denormals(before)


@driver
def binary_cross_entropy(nt, x, target, weight, dx, losses, one):
    """Sums of max(x, 0) - x·t + log(1 + exp(-|x|)) for each block, and dx = weight·(σ(x) - t).

    Parameters
    ----------
    nt : int
        Threads.
    x, target : array, shape (N,)
    weight : float
        1 / N.
    dx : array, shape (N,)
        Written.
    losses : array of float64, shape (ceil(N / BLOCK),)
        Written.
    one : array
        `ones` of the dtype of x.
    """
    for q in prange(nt):
        _binary_blocks(q, nt, x, target, weight, dx, losses, one)
