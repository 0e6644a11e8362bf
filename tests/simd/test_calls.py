"""Kernels that are called as functions of their own."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.jit import driver, kernel
from numba_lstm.simd import at, call_apart, lanes, load, store


@kernel
def _scaled(source, target, vectors, factor):
    v = lanes(source)
    for i in range(vectors[0], vectors[1]):
        store(target, i * v, load(source, i * v) * factor)


@driver
def _two_calls(crew, nt, source, target):
    # Both call one function, which is defined once.
    half = source.shape[0] // lanes(source) // 2
    call_apart(_scaled, (at(source, (0,)), at(target, (0,)), (0, half), 2.0))
    call_apart(_scaled, (at(source, (0,)), at(target, (0,)), (half, 2 * half), 3.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_called_apart_gets_all_its_arguments(dtype):
    source, target = np.arange(64, dtype=dtype), np.zeros(64, dtype)
    _two_calls(1, source, target)
    assert (target[:32] == 2 * source[:32]).all() and (target[32:] == 3 * source[32:]).all()
