"""Stacks by name, and options that a cell does not have."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.models import Forecaster, SequenceClassifier
from numba_lstm.models.stacks import STACKS


@pytest.mark.parametrize(("cell", "kind"), [("gru", nn.GRU), ("rnn", nn.RNN), ("lstm", nn.LSTM)])
def test_the_stack_is_of_the_cell(cell, kind):
    assert STACKS[cell] is kind
    assert type(SequenceClassifier(3, 4, 2, cell=cell).rnn) is kind


@pytest.mark.parametrize("cell", STACKS)
def test_an_option_that_the_cell_does_not_have_is_refused_with_those_it_has(cell):
    for name in ("droput", "batch_frist"):
        with pytest.raises(TypeError, match=rf"^SequenceClassifier: unknown .*'{name}'.*bias"):
            SequenceClassifier(3, 4, 2, cell=cell, **{name: 1})
    with pytest.raises(TypeError) as caught:
        Forecaster(3, 4, 2, 5, cell=cell, droput=1)
    message = str(caught.value)
    assert message.startswith(f"Forecaster: unknown argument 'droput'; with cell='{cell}' ")
    for name in ("dropout,", "seed", "hidden_size", "batch_first"):
        assert name not in message.replace("weight_dropout", "")
    assert ("reset_after" in message) == (cell == "gru")


def test_an_option_of_another_cell_is_refused():
    with pytest.raises(TypeError, match="unknown argument 'proj_size'; with cell='gru'"):
        SequenceClassifier(3, 4, 2, cell="gru", proj_size=2)
    model = SequenceClassifier(3, 4, 2, cell="rnn", nonlinearity="relu", bias=False)
    assert model(np.ones((5, 1, 3))).shape == (1, 2)
    assert model.rnn.nonlinearity == "relu" and not model.rnn.use_bias
