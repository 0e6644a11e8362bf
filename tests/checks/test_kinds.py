"""A dtype is float32 or float64, and a seed gives a generator of its own."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import checks

F4, F8 = np.dtype("f4"), np.dtype("f8")


def test_dtype():
    for value in (np.float32, "float32", "f4", F4):
        assert checks.dtype(value) is F4
    for value in (np.float64, float, "double", F8):
        assert checks.dtype(value) is F8
    for value in (np.float16, "int32", ">f4", complex, "O"):
        with pytest.raises(ValueError, match=r"^dtype: expected float32 or float64, got "):
            checks.dtype(value)
    for value in (None, "banana", 3):
        with pytest.raises(TypeError, match=r"^dtype: expected float32 or float64, got "):
            checks.dtype(value)


def test_generator():
    rng = np.random.default_rng(3)
    assert checks.generator(rng) is rng
    assert checks.generator(3).random() == np.random.default_rng(3).random()
    assert checks.generator(np.int64(3)).random() == checks.generator(3).random()
    assert checks.generator().random() != checks.generator().random()
    with pytest.raises(ValueError, match=r"^seed: expected at least 0, got -1$"):
        checks.generator(-1)
    for value in (True, 1.0, "1", np.random.RandomState(0), [1]):
        with pytest.raises(TypeError, match=r"^seed: expected None, an integer or a numpy"):
            checks.generator(value)
