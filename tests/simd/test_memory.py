"""Loads and stores of whole and partial vectors touch what they should and nothing else."""

from __future__ import annotations

import ctypes
import mmap
import os
import re

import numpy as np
import pytest
from numba import njit

from numba_lstm.jit import driver
from numba_lstm.simd import (
    TARGET,
    at,
    lanes,
    load,
    load_n,
    prefetch,
    scalar,
    shift,
    store,
    store_n,
)

DTYPES = [np.float32, np.float64]


@driver
def _partial(crew, nt, source, start, n, target, to):
    for _ in range(nt):
        v = load_n(at(source, (0,)), start, n)
        store(at(target, (0, 0)), 0, v)
        store_n(shift(at(target, (1, 0)), to), 0, v, n)


@driver
def _moved(crew, nt, source, index, out):
    for _ in range(nt):
        p = at(source, (index[0], index[1], index[2]))
        store(at(out, (0, 0)), 0, load(p, 0))
        store(at(out, (1, 0)), 0, load(p, 3))
        store(at(out, (2, 0)), 0, load(shift(p, 5), -2))
        out[3, 0] = lanes(source)
        out[3, 1] = scalar(source, 0.1)


def width(dtype):
    return TARGET.lanes(np.dtype(dtype).itemsize)


@pytest.mark.parametrize("dtype", DTYPES)
def test_partial_vectors_read_zeros_and_leave_the_rest(dtype):
    v = width(dtype)
    for n in range(v + 1):
        for start in (0, 1, 3):
            source = np.arange(1, 4 * v, dtype=dtype)
            target = np.full((2, 3 * v), -1, dtype)
            _partial(1, source, start, n, target, 2)
            assert np.array_equal(target[0, :n], source[start : start + n])
            assert not target[0, n:v].any()
            assert np.array_equal(target[1, 2 : 2 + n], source[start : start + n])
            assert (target[1, :2] == -1).all() and (target[1, 2 + n :] == -1).all()


@pytest.mark.skipif(os.name != "posix", reason="a page is closed by mprotect")
@pytest.mark.parametrize("dtype", DTYPES)
def test_partial_vectors_touch_no_memory_past_their_items(dtype):
    # The array ends with a page, and the next one is closed: who reads it is killed.
    size = mmap.PAGESIZE
    pages = mmap.mmap(-1, 2 * size)
    closed = ctypes.c_void_p(np.frombuffer(pages).ctypes.data + size)
    assert ctypes.CDLL(None).mprotect(closed, ctypes.c_size_t(size), 0) == 0
    v = width(dtype)
    n = min(3, v - 1)  # SSE2 has vectors of two
    page = np.frombuffer(pages, dtype, size // np.dtype(dtype).itemsize)
    page[-n:] = np.arange(1, n + 1)
    target = np.zeros((2, 3 * v), dtype)
    _partial(1, page, page.size - n, n, target, 0)
    assert np.array_equal(target[1, :n], np.arange(1, n + 1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pointers_are_counted_in_items_from_any_element(dtype):
    source = np.arange(3 * 5 * 40, dtype=dtype).reshape(3, 5, 40)
    v = width(dtype)
    out = np.zeros((4, max(2, v)), dtype)
    _moved(1, source, np.array([1, 2, 7]), out)
    flat = source.reshape(-1)
    start = np.ravel_multi_index((1, 2, 7), source.shape)
    for row in range(3):
        moved = start + (0 if row == 0 else 3)
        assert np.array_equal(out[row, :v], flat[moved : moved + v])
    assert out[3, 0] == v and out[3, 1] == dtype(0.1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_prefetch_is_compiled_and_needs_no_valid_address(dtype):
    @njit
    def fetch(source, offset):
        prefetch(at(source, (0,)), offset)

    source = np.arange(64, dtype=dtype)
    for offset in (0, 17, 64, -(1 << 40), 1 << 40):
        fetch(source, offset)
    assert np.array_equal(source, np.arange(64, dtype=dtype))
    (code,) = fetch.inspect_asm().values()
    assert re.search(r"^\s*(prefetch\w+|prfm)\s", code, re.MULTILINE), code
