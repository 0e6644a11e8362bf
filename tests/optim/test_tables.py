"""Addresses come only from arrays that a kernel may write to."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.nn import Parameter
from numba_lstm.optim import tables


def test_an_address_is_where_the_array_begins():
    for array in (np.zeros(3, np.float32), np.zeros((4, 5)), np.zeros((4, 5))[2:]):
        assert tables.address(array) == array.ctypes.data
    assert tables.address(np.zeros((0, 3))) == 0


def test_arrays_that_a_kernel_must_not_write_are_refused():
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    for array in (np.zeros((4, 5))[:, ::2], np.zeros((4, 5)).T, frozen):
        with pytest.raises((TypeError, ValueError, BufferError)):
            tables.address(array)


def test_gradients_are_sorted_by_dtype():
    params = [Parameter(np.zeros(n, dtype)) for n, dtype in ((1, "f4"), (2, "f8"), (3, "f4"))]
    for p in params:
        p.grad = np.zeros(p.shape)
    found = tables.with_gradients(params)
    assert {dtype.name: [g.size for g in arrays] for dtype, arrays in found.items()} == {
        "float32": [1, 3],
        "float64": [2],
    }
    assert found[np.dtype("f8")][0] is params[1].grad


def test_small_tables_stay_on_one_thread():
    assert tables.threads_of(np.array([[5, 0], [7, 0]]), 10) == 1
