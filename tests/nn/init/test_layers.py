"""Whole layers are filled with torch's defaults, and forget gates opened."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.nn import Embedding, Linear, Module, Parameter, init


class RNNBase(Module):
    """The names and shapes of an LSTM's first layer (gates=4) or of a GRU's (gates=3)."""

    def __init__(self, inputs, hidden, gates=4, bias=True):
        self.hidden_size = hidden
        self.weight_ih_l0 = Parameter(np.zeros((gates * hidden, inputs), np.float32))
        self.weight_hh_l0 = Parameter(np.zeros((gates * hidden, hidden), np.float32))
        if bias:
            self.bias_ih_l0 = Parameter(np.full(gates * hidden, 7, np.float32))
            self.bias_hh_l0 = Parameter(np.full(gates * hidden, 7, np.float32))


def test_forget_gates_see_one_bias_of_the_value_and_nothing_else_changes():
    class Model(Module):
        def __init__(self):
            self.rnn = RNNBase(3, 5)
            self.gru = RNNBase(3, 4, gates=3)

    model = Model()
    assert init.forget_gate_bias_(model, 1.5) is model
    for name, forget in (("bias_ih_l0", 1.5), ("bias_hh_l0", 0.0)):
        bias = vars(model.rnn)[name].numpy()
        assert (bias[5:10] == forget).all()
        assert (np.delete(bias, slice(5, 10)) == 7).all()
        assert (vars(model.gru)[name].numpy() == 7).all()


@pytest.mark.parametrize("module", [RNNBase(3, 5, bias=False), RNNBase(3, 4, gates=3), Module()])
def test_a_forget_gate_is_looked_for_in_vain(module):
    with pytest.raises(ValueError, match="module: expected an LSTM with biases, got "):
        init.forget_gate_bias_(module)


def test_recurrent_defaults_are_torchs():
    module = init.reset_recurrent_(RNNBase(30, 25), 25, seed=0)
    for p in module.parameters():
        assert 0.19 < np.abs(p.numpy()).max() <= 0.2
        assert abs(p.numpy().mean()) < 0.06
    values = [p.numpy().ravel()[0] for p in module.parameters()]
    assert len(set(values)) == 4  # one generator for all, not one seed for each


def test_linear_defaults_are_torchs():
    class Line(Module):
        def __init__(self, bias):
            self.weight = Parameter(np.zeros((300, 16), np.float32))
            self.bias = Parameter(np.zeros(300, np.float32)) if bias else None

    for line in (init.reset_linear_(Line(True), seed=0), init.reset_linear_(Line(False), seed=0)):
        for p in line.parameters():
            assert 0.245 < np.abs(p.numpy()).max() <= 0.25


def test_defaults_give_back_the_module_that_they_fill():
    module, line, table = RNNBase(3, 5), Linear(3, 5), Embedding(3, 5, padding_idx=1)
    assert init.reset_recurrent_(module, 5, seed=0) is module
    assert init.reset_linear_(line, seed=0) is line
    assert init.reset_embedding_(table, seed=0) is table
    assert not table.weight.numpy()[1].any() and table.weight.numpy()[[0, 2]].all()
