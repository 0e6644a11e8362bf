"""A driver's scratch memory begins where a cache line does."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.kernels.scratch import scratch_rows


@driver
def _places(crew, nt, like, out):
    for i in range(out.shape[0]):
        rows = scratch_rows(i % 7, i, like)
        out[i, 0], out[i, 1], out[i, 2] = rows.ctypes.data, rows.shape[0], rows.shape[1]
        rows[:] = 1  # all of it is there


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_begins_on_a_cache_line_whatever_its_size(dtype):
    out = np.zeros((200, 3), np.int64)
    _places(1, np.zeros((1, 1), dtype), out)
    assert (out[:, 0] % 64 == 0).all()
    assert (out[:, 1] == np.arange(200) % 7).all() and (out[:, 2] == np.arange(200)).all()
