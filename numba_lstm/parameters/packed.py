"""Weights in the layouts that kernels read, cached in their parameters and packed when stale."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..simd import PANEL, TARGET
from .aligned import empty
from .parameter import Parameter

__all__ = ["of_two", "packed_columns", "packed_rows", "zero_bias", "zeros"]


def _buffer(p: Parameter, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Where to pack to: the array that held the older values if there is one."""
    old = p.stale(key)
    return empty(shape, p.dtype) if old is None else old


def packed_rows(w: Parameter, start: int = 0) -> np.ndarray:
    """A plain matrix, from row `start` on, as the operand of x·Wᵀ, cached in the parameter."""
    key = "rows", start

    def make(a: np.ndarray) -> np.ndarray:
        a = a[start:]
        shape = pack.packed_rows_shape(1, a.shape[0], a.shape[1], TARGET.lanes(a.itemsize))
        out = _buffer(w, key, shape)
        nt = threads.threads_for(tuning.PACK_WORK * a.size)
        pack.pack_rows(nt, a, 1, pack.PLAIN, 0, out)
        return out

    return w.packed(key, make)


def of_two(first: Parameter, second: Parameter, key: Any, make: Callable[[], Any]) -> Any:
    """What is made of two parameters, cached in the first beside the second and its version."""
    # The second itself, not its id: after it is gone another parameter may get that.
    other, version, value = first.packed(key, lambda a: (None, 0, None))
    if other is None or other() is not second or version != second.version:
        version, value = second.version, make()
        first.repack(key, (weakref.ref(second), version, value))
    return value


def packed_columns(
    w: Parameter, gates: int, order: np.ndarray, rows: int, start: int = 0
) -> np.ndarray:
    """A weight, from row `start` on, as the operand of dz·W, of `rows` packed rows; cached."""

    def make(a: np.ndarray) -> np.ndarray:
        a = a[start:]
        v = TARGET.lanes(a.itemsize)
        out = _buffer(w, key, pack.packed_columns_shape(rows, a.shape[1], v))
        nt = threads.threads_for(tuning.PACK_WORK * a.size)
        pack.pack_columns(nt, a, gates, order, out)
        return out

    # A tied weight is packed in one way here and another there.
    key = ("columns", gates, order.tobytes(), rows, start)
    return w.packed(key, make)


@functools.lru_cache(maxsize=256)
def zeros(dtype: np.dtype, vectors: int = PANEL) -> np.ndarray:
    """Give so many vectors of zeros, always the same array: kernels read it, and nobody writes."""
    return np.zeros(vectors * TARGET.lanes(dtype.itemsize), dtype)


@functools.lru_cache(maxsize=256)
def zero_bias(dtype: np.dtype, panels: int) -> np.ndarray:
    """Give the bias of a product that has none: zeros (panels, PANEL·V), always the same array."""
    return zeros(dtype, panels * PANEL).reshape(panels, -1)
