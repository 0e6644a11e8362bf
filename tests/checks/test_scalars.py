"""Single values are what they can be, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import checks


def test_size():
    assert checks.size("hidden_size", np.int32(3)) == 3
    assert type(checks.size("hidden_size", np.int32(3))) is int
    assert checks.size("proj_size", 0, 0) == 0
    with pytest.raises(ValueError, match=r"^hidden_size: expected at least 1, got 0$"):
        checks.size("hidden_size", 0)
    for value in (True, np.True_, 2.0, "3", None, [2]):
        with pytest.raises(TypeError, match=r"^hidden_size: expected an integer, got "):
            checks.size("hidden_size", value)


def test_probability():
    for value in (0, 1, 0.5, np.float32(0.25)):
        found = checks.probability("dropout", value)
        assert type(found) is float and found == value
    for value in (-0.1, 1.1, float("nan"), float("inf"), 2):
        with pytest.raises(ValueError, match=r"^dropout: expected a number from 0 to 1, got "):
            checks.probability("dropout", value)
    for value in (True, "0.5", None, 1j, [0.5]):
        with pytest.raises(TypeError, match=r"^dropout: expected a number from 0 to 1, got "):
            checks.probability("dropout", value)


def test_flag():
    for value in (True, False, np.True_, np.False_):
        assert checks.flag("bias", value) is bool(value)
    for value in (0, 1, 1.0, None, "True", "relu", [], np.ones(1, bool)):
        with pytest.raises(TypeError, match=r"^bias: expected True or False, got "):
            checks.flag("bias", value)


def test_positive():
    for value in (1, 0.5, np.float32(0.25), 1e-300, float("inf")):
        found = checks.positive("cell_clip", value)
        assert type(found) is float and found == value
    for value in (0, -0.0, -1, float("nan")):
        with pytest.raises(ValueError, match=r"^cell_clip: expected a number above 0, got "):
            checks.positive("cell_clip", value)
    for value in (True, "0.5", None, 1j, [0.5]):
        with pytest.raises(TypeError, match=r"^cell_clip: expected a number above 0, got "):
            checks.positive("cell_clip", value)


def test_choice():
    assert checks.choice("nonlinearity", "relu", ("tanh", "relu")) == "relu"
    for value in ("gelu", None, 3):
        with pytest.raises(ValueError) as caught:
            checks.choice("nonlinearity", value, ("tanh", "relu"))
        assert str(caught.value) == f"nonlinearity: expected 'tanh' or 'relu', got {value!r}"
