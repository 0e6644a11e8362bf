"""Kernels without machine code: callers have them inside, and numba is as ever otherwise."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock

from numba_lstm import inlining
from numba_lstm.inlining import intermediate_only
from numba_lstm.jit import driver, kernel


@kernel
def _twice(x):
    return 2 * x


@driver
def _apply(crew, nt, x):
    for _ in range(nt):
        for i in range(x.size):
            x[i] = _twice(x[i])


def test_a_kernel_runs_inside_its_driver_and_has_no_code_of_its_own(monkeypatch):
    x = np.arange(3.0)
    _apply(1, x)
    assert x.tolist() == [0, 2, 4]
    generated = []
    monkeypatch.setattr(JITCodeLibrary, "_finalize_specific", generated.append)
    _twice.compile((numba.int8,))
    assert (numba.int8,) in _twice.overloads and not generated


def test_a_kernel_that_python_calls_is_compiled_for_it():
    assert [_twice(1.5), _twice(2), _twice(1.5)] == [3.0, 4, 3.0]
    with pytest.raises(TypeError, match="not enough arguments"):
        _twice()


def test_numba_is_as_before_afterwards():
    before = JITCodeLibrary._finalize_final_module
    try:
        with global_compiler_lock, intermediate_only():
            assert JITCodeLibrary._finalize_final_module is not before
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert JITCodeLibrary._finalize_final_module is before
    assert numba.njit(lambda x: x + 1)(1) == 2


def test_a_numba_with_other_names_compiles_kernels_as_everything(monkeypatch):
    owner, _, other = inlining._REPLACED[0]
    monkeypatch.setattr(inlining, "_REPLACED", ((owner, "no_such_name", other),))
    before = JITCodeLibrary._finalize_final_module
    with intermediate_only():
        assert JITCodeLibrary._finalize_final_module is before
