"""A module's parameters for the kernels: looked at again after an exchange, not after a write."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.nn.kernel_weights import weights_of

MODULES = {"layers": (nn.LSTM, "weight_ih_l0"), "cell": (nn.GRUCell, "weight_ih")}


@pytest.mark.parametrize("kind", MODULES)
def test_a_write_leaves_them_and_an_exchange_makes_them_anew(kind, monkeypatch):
    make, name = MODULES[kind]
    module = make(3, 5, seed=0)
    found = weights_of(module)
    assert found[0].w_ih is getattr(module, name)
    getattr(module, name)[...] = 1
    with getattr(module, name).mutate() as values:
        values *= 2
    monkeypatch.setattr(make, "cell", None)  # what would be asked to look at them again
    assert weights_of(module) is found
    monkeypatch.undo()
    other = nn.Parameter(getattr(module, name).numpy())
    setattr(module, name, other)
    again = weights_of(module)
    assert again is not found and again[0].w_ih is other
    module.training = False  # no parameter
    assert weights_of(module) is again


def test_a_parameter_that_is_deleted_is_missed():
    cell = nn.LSTMCell(3, 5, seed=0)
    cell(np.ones((2, 3)))
    del cell.weight_hh
    with pytest.raises(TypeError, match="weight_hh: expected a Parameter"):
        cell(np.ones((2, 3)))
