"""Weights between torch's layout and the microkernel's, both ways.

A matrix W (gates·H, K), gate after gate, is cut into vectors of V rows that belong to V units. A
unit's vectors lie beside each other in an order that the cell chooses: vector ``n`` holds gate
``order[n mod S]`` of units u = (n div S)·V … + V, S the length of `order`; -1 stands for a vector
of zeros. Units past H are zero. PANEL vectors make a panel:

- `pack_rows`: ``(ceil(n/PANEL), K, PANEL·V)``, the operand of x·Wᵀ (columns are W's rows);
- `pack_columns`: ``(ceil(K/(PANEL·V)), rows, PANEL·V)``, the operand of dz·W (columns are W's
  columns), its rows in the order of the vectors above.

`unpack_rows` and `unpack_columns` are their inverses, adding into the gradient or overwriting it.
An LSTM's order is i, f, g, o; that of a plain matrix is one gate, `PLAIN`.
"""

from __future__ import annotations

import functools

import numpy as np

from ..jit import driver, kernel, prange
from ..simd import PANEL, at, lanes, load, shift, store, transpose_block, transpose_block_add
from .blocks import first

__all__ = [
    "PLAIN",
    "pack_bias",
    "pack_columns",
    "pack_constants",
    "pack_rows",
    "packed_columns_shape",
    "packed_rows_shape",
    "unpack_bias",
    "unpack_columns",
    "unpack_rows",
]

PLAIN = np.zeros(1, np.int64)


def vectors(slots: int, hidden: int, v: int) -> int:
    """How many vectors of `v` rows `hidden` units of `slots` vectors each are cut into."""
    return slots * -(-hidden // v)


def packed_rows_shape(slots: int, hidden: int, k: int, v: int) -> tuple[int, int, int]:
    """The shape that `pack_rows` fills, `v` the vector's width."""
    return -(-vectors(slots, hidden, v) // PANEL), k, PANEL * v


def packed_columns_shape(rows: int, k: int, v: int) -> tuple[int, int, int]:
    """The shape that `pack_columns` fills, for `rows` packed rows."""
    return -(-k // (PANEL * v)), rows, PANEL * v


@kernel
def _rows_of_vector(n, order, hidden, v):
    """The first of W's rows in vector `n`, and how many of its V rows are not padding."""
    gate = order[n % order.size]
    unit = (n // order.size) * v
    return gate * hidden + unit, max(0, min(v, hidden - unit)) if gate >= 0 else 0


@driver
def pack_rows(nt, w, gates, order, k0, out):
    """w (gates·H, K) into rows k0 … k0 + K of out's panels (panels, ≥ k0 + K, PANEL·V)."""
    hidden, k = w.shape[0] // gates, w.shape[1]
    v = lanes(w)
    width = PANEL * v
    total = out.shape[0] * PANEL
    for q in prange(nt):
        for n in range(first(q, nt, total), first(q + 1, nt, total)):
            row, count = _rows_of_vector(n, order, hidden, v)
            target = at(out, (n // PANEL, k0, n % PANEL * v))
            whole = k // v * v if count == v else 0
            for j in range(0, whole, v):
                transpose_block(at(w, (row, j)), k, shift(target, j * width), width)
            for j in range(whole, k):
                for i in range(v):
                    target[j * width + i] = w[row + i, j] if i < count else 0


@driver
def unpack_rows(nt, packed, gates, order, k0, accumulate, w):
    """The inverse of `pack_rows`: those rows of `packed` into, or added to, w (gates·H, K)."""
    hidden, k = w.shape[0] // gates, w.shape[1]
    v = lanes(w)
    width = PANEL * v
    total = packed.shape[0] * PANEL
    for q in prange(nt):
        for n in range(first(q, nt, total), first(q + 1, nt, total)):
            row, count = _rows_of_vector(n, order, hidden, v)
            source = at(packed, (n // PANEL, k0, n % PANEL * v))
            whole = k // v * v if count == v else 0
            for j in range(0, whole, v):
                if accumulate:
                    transpose_block_add(shift(source, j * width), width, at(w, (row, j)), k)
                else:
                    transpose_block(shift(source, j * width), width, at(w, (row, j)), k)
            for j in range(whole, k):
                for i in range(count):
                    value = source[j * width + i]
                    w[row + i, j] = w[row + i, j] + value if accumulate else value


@driver
def pack_columns(nt, w, gates, order, out):
    """w (gates·H, K) into out (ceil(K/(PANEL·V)), rows, PANEL·V)."""
    hidden, k = w.shape[0] // gates, w.shape[1]
    v = lanes(w)
    panels, rows, width = out.shape
    for q in prange(nt):
        for row in range(first(q, nt, rows), first(q + 1, nt, rows)):
            start, real = _rows_of_vector(row // v, order, hidden, v)
            source = start + row % v
            for p in range(panels):
                count = min(width, k - p * width) if row % v < real else 0
                if count == width:
                    for j in range(0, width, v):
                        store(at(out, (p, row, j)), 0, load(at(w, (source, p * width + j)), 0))
                    continue
                for j in range(count):
                    out[p, row, j] = w[source, p * width + j]
                for j in range(count, width):
                    out[p, row, j] = 0


@driver
def unpack_columns(nt, packed, accumulate, w):
    """The inverse of `pack_columns` for a plain matrix: into, or added to, w (rows, K)."""
    rows, k = w.shape
    panels, width = packed.shape[0], packed.shape[2]
    v = lanes(w)
    for q in prange(nt):
        for row in range(first(q, nt, rows), first(q + 1, nt, rows)):
            for p in range(panels):
                count = min(width, k - p * width)
                source, target = at(packed, (p, row, 0)), at(w, (row, p * width))
                whole = count // v * v
                for j in range(0, whole, v):
                    x = load(source, j)
                    store(target, j, load(target, j) + x if accumulate else x)
                for j in range(whole, count):
                    target[j] = target[j] + source[j] if accumulate else source[j]


def _bias_order(size: int, gates: int, order: np.ndarray, v: int) -> tuple[np.ndarray, np.ndarray]:
    return _bias_places(size // gates, tuple(order.tolist()), v)


@functools.lru_cache(maxsize=128)
def _bias_places(hidden: int, order: tuple[int, ...], v: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each item of the packed bias, in W's rows, comes from, and which are no padding."""
    slots = len(order)
    total = -(-vectors(slots, hidden, v) // PANEL) * PANEL
    n, i = np.divmod(np.arange(total * v), v)
    unit, gate = n // slots * v + i, np.array(order)[n % slots]
    real = (unit < hidden) & (gate >= 0)
    return (gate * hidden + unit)[real], np.flatnonzero(real)


def pack_bias(bias: np.ndarray, gates: int, order: np.ndarray, v: int) -> np.ndarray:
    """bias (gates·H,) as (panels, PANEL·V), in `pack_rows`'s order."""
    source, real = _bias_order(bias.size, gates, order, v)
    hidden = bias.size // gates
    out = np.zeros(-(-vectors(order.size, hidden, v) // PANEL) * PANEL * v, bias.dtype)
    out[real] = bias[source]
    return out.reshape(-1, PANEL * v)


def unpack_bias(
    packed: np.ndarray, gates: int, hidden: int, order: np.ndarray, v: int
) -> np.ndarray:
    """The inverse of `pack_bias`: (gates·H,)."""
    source, real = _bias_order(gates * hidden, gates, order, v)
    out = np.empty(gates * hidden, packed.dtype)
    out[source] = packed.reshape(-1)[real]
    return out


def pack_constants(constants: np.ndarray, padded: int, v: int) -> np.ndarray:
    """constants (k, H) as (padded/V, k·V): those of a vector of units beside each other."""
    k, hidden = constants.shape
    out = np.zeros((k, padded), constants.dtype)
    out[:, :hidden] = constants
    return np.ascontiguousarray(out.reshape(k, -1, v).swapaxes(0, 1)).reshape(-1, k * v)
