"""Memory that a driver takes for a call."""

from __future__ import annotations

import numpy as np

from ..jit import part_of_driver
from ..simd import LINE

__all__ = ["APART", "scratch_rows"]

#: Items between what different threads write, again and again: a page of float32. A core's
#: prefetchers read on behind a thread's rows, up to the end of a page. Lines there that another
#: thread writes then go to and fro between the cores. In slow minutes of a virtual machine with two
#: 100x32x64x128 inferred at 161 GFLOP/s without and 180 with it, in others at 203 both ways.
APART = 1024


@part_of_driver
def scratch_rows(rows, columns, like):
    """(rows, columns) of `like`'s dtype that begin on a cache line; as `numpy.empty` else.

    Compiled code's `numpy.empty` begins in the middle of a line as often as not. Then every load of
    64 bytes touches two lines, and threads that share the columns write to the same ones.
    """
    line = LINE // like.itemsize
    flat = np.empty(rows * columns + line, like.dtype)
    start = -(flat.ctypes.data // like.itemsize) % line
    return flat[start : start + rows * columns].reshape(rows, columns)
