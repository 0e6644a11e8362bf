"""A state dict tells which module it is of."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import weights

MODULES = [
    nn.LSTM(3, 5, seed=0),
    nn.LSTM(3, 5, 3, bidirectional=True, bias=False, seed=0),
    nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True, seed=0),
    nn.LSTM(3, [5, 7], peepholes=True, seed=0),
    nn.LSTM(3, 5, layer_norm=True, seed=0),
    nn.GRU(3, 5, 2, bidirectional=True, seed=0),
    nn.GRU(3, [5, 4, 6], seed=0),
    nn.GRU(3, 5, layer_norm=True, learn_initial_state=True, seed=0),
    nn.RNN(3, 5, seed=0),
    nn.RNN(1, 1, seed=0),
]


@pytest.mark.parametrize("module", MODULES, ids=repr)
def test_the_module_is_found_from_names_and_shapes(module):
    found = weights.to_module({f"m.{k}": v for k, v in module.state_dict().items()}, "m")
    assert repr(found) == repr(module)
    for name, value in module.state_dict().items():
        assert np.array_equal(found.state_dict()[name], value)


def test_what_names_do_not_tell_is_told(rng):
    module = nn.GRU(3, 5, reset_after=False, batch_first=True, dtype="f8", seed=0)
    options = {"reset_after": False, "batch_first": True, "dtype": "f8"}
    found = weights.to_module(module.state_dict(), **options)
    x = rng.standard_normal((2, 4, 3))
    assert repr(found) == repr(module) and np.array_equal(found(x)[0], module(x)[0])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "expected the names of recurrent layers, .* got none"),
        (
            nn.Linear(3, 5).state_dict(),
            "expected the names of recurrent layers, .* got bias",
        ),
        (nn.LSTMCell(3, 5).state_dict(), "expected the names of recurrent layers"),
        ({"weight_ih_l0": np.ones((9, 3)), "weight_hh_l0": np.ones((10, 5))}, "^weight_ih_l0: "),
        ({"weight_ih_l0": np.ones(9), "weight_hh_l0": np.ones((10, 5))}, "^weight_ih_l0: "),
        ({"weight_ih_l0": np.ones((20, 3)), "weight_hh_l0": np.ones((20, 4))}, "^weight_ih_l0|fit"),
    ],
)
def test_what_is_no_recurrent_module_is_refused(state, words):
    with pytest.raises(ValueError, match=words):
        weights.to_module(state)


@pytest.mark.parametrize(
    ("names", "prefix", "words"),
    [
        (["encoder"], "", r"prefix='encoder'$"),
        (["encoder", "decoder.rnn"], "", r"prefix='encoder' or 'decoder\.rnn'$"),
        (["module.lstm"], "module", r"prefix='module\.lstm'$"),
        (["module.lstm"], "module.", r"prefix='module\.lstm'$"),
        (list("abcde"), "", r"prefix='a' or 'b' or 'c', …$"),
    ],
)
def test_of_a_whole_model_it_says_which_prefixes_there_are(names, prefix, words):
    part = nn.LSTM(3, 5).state_dict()
    state = {f"{name}.{key}": value for name in names for key, value in part.items()}
    state["module.head.weight"] = state["head.weight"] = np.ones((2, 5))
    with pytest.raises(ValueError, match=words) as refused:
        weights.to_module(state, prefix=prefix)
    assert "this is a model with recurrent layers in it" in str(refused.value)
    found = words.partition("'")[2].partition("'")[0].replace("\\", "")
    assert repr(weights.to_module(state, prefix=found)) == "LSTM(3, 5)"


def test_of_a_cell_it_says_how_its_names_become_a_layer_s():
    with pytest.raises(ValueError, match="; cell_to_layer gives the names of a cell"):
        weights.to_module(nn.LSTMCell(3, 5).state_dict())


def test_a_layer_that_is_missing_is_named():
    state = nn.LSTM(3, 5, 3).state_dict()
    state = {name: value for name, value in state.items() if "_l1" not in name}
    with pytest.raises(ValueError, match="expected weight_hh_l1, got no such name"):
        weights.to_module(state)
