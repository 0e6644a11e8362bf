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


def rows_of(arrays, gradients):
    return [
        [some[0].size, some[0].ctypes.data, g.ctypes.data, *(a.ctypes.data for a in some[1:])]
        for some, g in zip(arrays, gradients)
    ]


def test_a_table_follows_every_array_that_is_another():
    arrays = [[np.zeros(n), np.zeros(n)] for n in (3, 4)]
    gradients = [np.zeros(3), np.zeros(4)]
    table = tables.Table(4)
    first = table.of(arrays, gradients)
    assert first.tolist() == rows_of(arrays, gradients)
    gradients[1] = np.zeros(4)
    second = table.of(arrays, gradients)
    assert second.tolist() == rows_of(arrays, gradients) != first.tolist()
    arrays[0][1] = np.zeros(3)
    assert table.of(arrays, gradients).tolist() == rows_of(arrays, gradients)
    assert table.of(arrays[1:], gradients[1:]).tolist() == rows_of(arrays[1:], gradients[1:])
    without = [some[:1] for some in arrays]
    found = table.of(without, gradients)
    assert found[:, 3].tolist() == [0, 0]
    assert found[:, :3].tolist() == rows_of(without, gradients)
    assert second[0, 1] == first[0, 1]  # what was given before is left alone


def test_numbers_are_rows_whether_they_are_the_same_or_not():
    assert tables.as_rows([(1.0, 2.0)] * 3).tolist() == [[1, 2]] * 3
    assert tables.as_rows([(1.0, 2.0), (1.0, 3.0)]).tolist() == [[1, 2], [1, 3]]


def test_small_tables_stay_on_one_thread():
    assert tables.threads_of(np.array([[5, 0], [7, 0]]), 10) == 1
