"""Weights between torch's layout and the microkernel's, both ways.

A matrix W (gates·H, K) holds gate after gate. Its rows are cut into vectors of V rows, for V hidden
units each, and the vectors of the same units are put beside each other, PANEL = 4 of them in a
panel. One panel of an LSTM (order i, f, g, o), for units 0 … V and inputs or states k = 0 … K:

             i of units 0 … V    f of units 0 … V    g of units 0 … V    o of units 0 … V
           ┌───────────────────┬───────────────────┬───────────────────┬───────────────────┐
    k = 0  │ W[0:V, 0]         │ W[H:H+V, 0]       │ W[2H:2H+V, 0]     │ W[3H:3H+V, 0]     │  memory
    k = 1  │ W[0:V, 1]         │ W[H:H+V, 1]       │ W[2H:2H+V, 1]     │ W[3H:3H+V, 1]     │  runs
      …    │                   │                   │                   │                   │  row
    k=K-1  │ W[0:V, K-1]       │ W[H:H+V, K-1]     │ W[2H:2H+V, K-1]   │ W[3H:3H+V, K-1]   │  by row
           └───────────────────┴───────────────────┴───────────────────┴───────────────────┘

The microkernel reads a panel from top to bottom, one row of 4·V contiguous items for each k, and a
finished row of z holds all gates of its units. The next panel holds units V … 2V.

A cell chooses the order of its gates. Vector n holds gate ``order[n mod S]`` of units
(n div S)·V … + V, with S = len(order), 4, 2 or 1; -1 stands for a vector of zeros. The order of a
plain matrix is `PLAIN`, one gate: its panels hold 4·V rows. Rows of units past H are zero.

- `pack_rows`: ``(ceil(S·ceil(H/V) / PANEL), K, PANEL·V)``, for x·Wᵀ: a panel's columns are rows of
  W, as drawn.
- `pack_columns`: ``(ceil(K / (PANEL·V)), rows, PANEL·V)``, for dz·W: a panel's columns are columns
  of W, and its rows are rows of W in the order of the vectors above.

`unpack_rows` and `unpack_columns` are the inverses. They overwrite the matrix or add to it.
"""

from __future__ import annotations

import functools

import numpy as np

from ..jit import driver, kernel
from ..parts import parts
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
    """How many vectors of `v` rows make up `hidden` units of `slots` vectors each."""
    return slots * -(-hidden // v)


def packed_rows_shape(slots: int, hidden: int, k: int, v: int) -> tuple[int, int, int]:
    """The shape that `pack_rows` fills, with vectors of `v` items."""
    return -(-vectors(slots, hidden, v) // PANEL), k, PANEL * v


def packed_columns_shape(rows: int, k: int, v: int) -> tuple[int, int, int]:
    """The shape that `pack_columns` fills, for `rows` packed rows."""
    return -(-k // (PANEL * v)), rows, PANEL * v


@kernel
def _rows_of_vector(n, order, hidden, v):
    """(row, count): vector `n` holds rows row … row + count of W, and zeros behind them."""
    gate = order[n % order.size]
    unit = (n // order.size) * v
    return gate * hidden + unit, max(0, min(v, hidden - unit)) if gate >= 0 else 0


@kernel
def _pack_rows_part(q, nt, w, gates, order, k0, out):
    hidden, k = w.shape[0] // gates, w.shape[1]
    v = lanes(w)
    width = PANEL * v
    total = out.shape[0] * PANEL
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
def pack_rows(crew, nt, w, gates, order, k0, out):
    """Pack w into rows k0 … k0 + K of out's panels.

    Parameters
    ----------
    nt : int
        Threads.
    w : (gates·H, K) float32 or float64
    gates : int
    order : (slots,) int64
        The gate in each of a unit's vectors, -1 for zeros.
    k0 : int
    out : (panels, ≥ k0 + K, PANEL·V), of w's dtype
        Those rows are written.
    """
    parts(crew, nt, _pack_rows_part, (nt, w, gates, order, k0, out))


@kernel
def _unpack_rows_part(q, nt, packed, gates, order, k0, accumulate, w):
    hidden, k = w.shape[0] // gates, w.shape[1]
    v = lanes(w)
    width = PANEL * v
    total = packed.shape[0] * PANEL
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
def unpack_rows(crew, nt, packed, gates, order, k0, accumulate, w):
    """The inverse of `pack_rows`: rows k0 … k0 + K of `packed` into w, or added to it.

    Parameters
    ----------
    nt : int
        Threads.
    packed : (panels, ≥ k0 + K, PANEL·V) float32 or float64
    gates, order, k0
        As for `pack_rows`. Rows of W whose gate is not in `order` are left alone.
    accumulate : bool
        Whether to add to w instead of overwriting it.
    w : (gates·H, K), of the same dtype
    """
    parts(crew, nt, _unpack_rows_part, (nt, packed, gates, order, k0, accumulate, w))


@kernel
def _pack_columns_part(q, nt, w, gates, order, out):
    hidden, k = w.shape[0] // gates, w.shape[1]
    v = lanes(w)
    panels, rows, width = out.shape
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
def pack_columns(crew, nt, w, gates, order, out):
    """Pack w for dz·W.

    Parameters
    ----------
    nt : int
        Threads.
    w : (gates·H, K) float32 or float64
    gates : int
    order : (slots,) int64
        The gate in each of a unit's vectors.
    out : (ceil(K/(PANEL·V)), rows, PANEL·V), of w's dtype
        Written. Row r is item r mod V of vector r div V.
    """
    parts(crew, nt, _pack_columns_part, (nt, w, gates, order, out))


@kernel
def _unpack_columns_part(q, nt, packed, accumulate, w):
    rows, k = w.shape
    panels, width = packed.shape[0], packed.shape[2]
    v = lanes(w)
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


@driver
def unpack_columns(crew, nt, packed, accumulate, w):
    """The inverse of `pack_columns` for a plain matrix: into w, or added to it.

    Parameters
    ----------
    nt : int
        Threads.
    packed : (ceil(K/(PANEL·V)), ≥ rows, PANEL·V) float32 or float64
    accumulate : bool
        Whether to add to w instead of overwriting it.
    w : (rows, K), of the same dtype
    """
    parts(crew, nt, _unpack_columns_part, (nt, packed, accumulate, w))


def _bias_order(size: int, gates: int, order: np.ndarray, v: int) -> tuple[np.ndarray, np.ndarray]:
    return _bias_places(size // gates, tuple(order.tolist()), v)


@functools.lru_cache(maxsize=128)
def _bias_places(hidden: int, order: tuple[int, ...], v: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, items): item items[i] of the packed bias is row rows[i] of W; the others are 0."""
    slots = len(order)
    total = -(-vectors(slots, hidden, v) // PANEL) * PANEL
    n, i = np.divmod(np.arange(total * v), v)
    unit, gate = n // slots * v + i, np.array(order)[n % slots]
    real = (unit < hidden) & (gate >= 0)
    return (gate * hidden + unit)[real], np.flatnonzero(real)


def pack_bias(bias: np.ndarray, gates: int, order: np.ndarray, v: int) -> np.ndarray:
    """Pack bias (gates·H,) as (panels, PANEL·V), in the order of `pack_rows`."""
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
    """Pack constants (k, H) as (padded/V, k·V): row n holds the k vectors of units n·V … + V."""
    k, hidden = constants.shape
    out = np.zeros((k, padded), constants.dtype)
    out[:, :hidden] = constants
    return np.ascontiguousarray(out.reshape(k, -1, v).swapaxes(0, 1)).reshape(-1, k * v)
