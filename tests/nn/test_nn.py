from __future__ import annotations

import inspect

import numpy as np
import pytest

from numba_lstm import nn


@pytest.mark.parametrize("name", ["Module", "Parameter", "Embedding", "Dropout", "Sequential"])
def test_a_layer_is_there_by_its_name(name):
    assert getattr(nn, name).__name__ == name
    assert name in dir(nn)


def test_init_is_there():
    assert nn.init.__name__ == "numba_lstm.nn.init" and callable(nn.init.orthogonal_)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'numba_lstm\.nn' has no attribute 'Banana'"):
        getattr(nn, "Banana")  # noqa: B009


MADE_BY = {
    "LSTM": (3, 4),
    "GRU": (3, 4),
    "RNN": (3, 4),
    "LSTMCell": (3, 4),
    "GRUCell": (3, 4),
    "RNNCell": (3, 4),
    "Linear": (3, 4),
    "Embedding": (3, 4),
    "Dropout": (),
    "LayerNorm": (3,),
    "Softmax": (),
}


@pytest.mark.parametrize("name", MADE_BY)
def test_a_mistyped_option_is_reported_for_the_class_that_was_written(name):
    kind = getattr(nn, name)
    message = rf"^{name}.__init__\(\) got an unexpected keyword argument 'droput'"
    with pytest.raises(TypeError, match=message):
        kind(*MADE_BY[name], droput=0.3)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_every_option_of_the_base_is_there_with_its_default_and_reaches_it(name):
    kind = getattr(nn, name)
    (base,) = (one for one in kind.__mro__ if one.__name__ == "RNNBase")
    ours, shared = (inspect.signature(one.__init__).parameters for one in (kind, base))
    for option, about in shared.items():
        assert (about.default, about.kind) == (ours[option].default, ours[option].kind), option
    given = {o: 0.25 for o in shared if o.endswith("dropout") or o == "zoneout"}
    module = kind(3, 4, 2, **given, bias=False, batch_first=True, bidirectional=True, dtype="f8")
    assert {option: getattr(module, option) for option in given} == given
    assert (module.use_bias, module.batch_first, module.bidirectional) == (False, True, True)
    assert module.dtype == np.float64
    first, second = (kind(3, 4, seed=7).state_dict() for _ in range(2))
    assert all(np.array_equal(first[key], second[key]) for key in first)
