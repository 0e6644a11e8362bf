"""What `warmup` has run is not compiled again, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from cache_tool import put_microkernels
from lstm_tool import run_python

import numba_lstm
from numba_lstm import nn
from numba_lstm.models import LanguageModel

PROGRAM = """
import numpy as np
import numba_lstm
from numba_lstm import jit, nn
compiled = []
jit.on_compile(compiled.append)
module, x = nn.Embedding(3, 4, seed=0), np.ones(2, int)  # its kernels compile in half a second
numba_lstm.warmup(module, x, training=False)
print(*compiled)
compiled.clear()
module(x)
assert not compiled, compiled
numba_lstm.warmup(module, x)
print(*compiled)
compiled.clear()
module.vjp(x)[1](np.ones((2, 4), "f4"))
assert not compiled, compiled
"""


def test_what_it_ran_is_not_compiled_again(tmp_path):
    put_microkernels(tmp_path)
    out = run_python(PROGRAM, NUMBA_LSTM_CACHE_DIR=str(tmp_path))
    inference, training = (line.split() for line in out.splitlines())
    assert "gather_rows" in inference
    assert training and not {*training} & {*inference}


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.LSTM(3, 4, seed=0), (5, 2, 3)),
        (lambda: nn.GRU(3, 4, seed=0), (5, 2, 3)),
        (lambda: nn.RNN(3, 4, seed=0), (5, 2, 3)),
        # Of kernels that are compiled already, those with masks compile in a third of the time in
        # the same process: the other tests need them, too.
        (lambda: nn.LSTM(3, 4, recurrent_dropout=0.5, seed=0), (5, 2, 3)),
        (lambda: nn.GRU(3, 4, recurrent_dropout=0.5, seed=0), (5, 2, 3)),
        (lambda: nn.RNN(3, 4, recurrent_dropout=0.5, seed=0), (5, 2, 3)),
        (lambda: nn.LSTMCell(3, 4, seed=0), (2, 3)),
        (lambda: nn.GRUCell(3, 4, seed=0), (2, 3)),
        (lambda: nn.Linear(3, 4, seed=0), (2, 3)),
        (lambda: nn.Sequential(nn.Linear(3, 3, seed=0), nn.LSTMCell(3, 4, seed=0)), (2, 3)),
        (
            lambda: nn.Sequential(nn.Dropout(0.5, seed=0), nn.LSTM(3, 4, seed=0)),
            (5, 2, 3),
        ),
        (lambda: LanguageModel(7, 3, 4, dropout=0.5, seed=0), None),
    ],
)
def test_any_module_can_be_warmed_up_and_stays_as_it_is(make, shape):
    module, untouched = make(), make()
    x = np.ones((5, 2), np.int64) if shape is None else np.ones(shape, "f4")
    numba_lstm.warmup(module, x)
    assert all(p.grad is None for p in module.parameters())
    first, second = module(x), untouched(x)  # the random numbers of dropout stand where they stood
    while isinstance(first, tuple):
        first, second = first[0], second[0]
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((None, np.ones(3)), TypeError, "module: expected a Module before the inputs"),
        ((np.ones(3),), TypeError, "module: expected a Module, got ndarray"),
        ((nn.Linear(3, 4),), TypeError, "inputs: expected what the module"),
        ((nn.Linear(3, 4), np.ones((2, 5))), ValueError, "x"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, error, words):
    with pytest.raises(error, match=words):
        numba_lstm.warmup(*arguments)


def test_another_cell_or_dtype_is_refused_by_name():
    with pytest.raises(ValueError, match="cells: expected 'lstm' or 'gru' or 'rnn', got 'lstn'"):
        numba_lstm.warmup(cells=["lstm", "lstn"])
    with pytest.raises(ValueError, match="dtype: expected 'float32' or 'float64', got 'f2'"):
        numba_lstm.warmup(dtype="f2")
