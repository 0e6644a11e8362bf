"""Memory that a driver takes for a call."""

from __future__ import annotations

import numpy as np

from ..jit import part_of_driver

__all__ = ["scratch_rows"]

_LINE = 64  # bytes of a cache line


@part_of_driver
def scratch_rows(rows, columns, like):
    """(rows, columns) of `like`'s dtype that begin on a cache line; as `numpy.empty` else.

    Compiled code's `numpy.empty` begins in the middle of a line as often as not. Then every load of
    64 bytes touches two lines, and threads that share the columns write to the same ones.
    """
    line = _LINE // like.itemsize
    flat = np.empty(rows * columns + line, like.dtype)
    start = -(flat.ctypes.data // like.itemsize) % line
    return flat[start : start + rows * columns].reshape(rows, columns)
