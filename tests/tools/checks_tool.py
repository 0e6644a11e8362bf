"""The one form of arrays that kernels are compiled for."""

from __future__ import annotations

import numpy as np


def is_right(array, dtype):
    flags = array.flags
    return (
        type(array) is np.ndarray
        and array.dtype == dtype
        and array.dtype.isnative
        and flags.c_contiguous
        and flags.aligned
        and flags.writeable
    )
