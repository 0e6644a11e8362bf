"""What does not fit a module is listed at once, and what is meant is told."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.nn.state_dicts import under_prefix


class Model(nn.Module):
    def __init__(self, seed):
        self.lstm = nn.LSTM(3, 5, seed=seed)
        self.head = nn.Linear(5, 2, seed=seed)


def equal(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("prefix", ["module.", "module", "encoder.rnn.", "net_", ""])
def test_a_prefix_is_taken_off_with_or_without_its_dot(prefix):
    model = Model(0)
    dot = "" if not prefix or prefix[-1] in "._" else "."
    saved = {f"{prefix}{dot}{name}": value for name, value in model.state_dict().items()}
    other = Model(1)
    assert other.load_state_dict(saved, prefix=prefix) == ([], [])
    assert equal(model, other)


def test_names_under_other_prefixes_are_other_modules():
    model = Model(0)
    lstm = nn.LSTM(3, 5, seed=1)
    assert lstm.load_state_dict(model.state_dict(), prefix="lstm") == ([], [])
    assert equal(lstm, model.lstm)
    saved = model.state_dict() | {"lstm.extra": 1}
    del saved["lstm.bias_hh_l0"]
    result = lstm.load_state_dict(saved, strict=False, prefix="lstm.")
    assert result == (["bias_hh_l0"], ["extra"])
    with pytest.raises(ValueError, match=r"missing: bias_hh_l0\n  not known: extra"):
        lstm.load_state_dict(saved, prefix="lstm.")


def test_a_prefix_that_no_name_has_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"^prefix: .* got 'rnn'; they begin with 'lstm', 'head'$"):
        Model(0).lstm.load_state_dict(Model(0).state_dict(), prefix="rnn")
    with pytest.raises(ValueError, match=r"they begin with nothing"):
        under_prefix({}, "rnn")
    with pytest.raises(TypeError, match=r"^prefix: expected text, got int"):
        Model(0).load_state_dict({}, prefix=3)


def test_a_full_name_that_begins_with_a_dot_wins():
    assert under_prefix({"a.b": 1, "ab": 2}, "a") == {"b": 1}
    assert under_prefix({"ab": 2}, "a") == {"b": 2}


def message(module, state_dict):
    with pytest.raises(ValueError) as caught:
        module.load_state_dict(state_dict)
    return str(caught.value)


def test_a_prefix_that_is_there_is_told():
    saved = {f"module.{name}": value for name, value in Model(0).state_dict().items()}
    words = message(Model(1), saved)
    assert words.endswith(
        "hint: the names begin with 'module.': load_state_dict(state_dict, prefix='module.')"
    )
    assert "missing: lstm.weight_ih_l0" in words and "not known: module.head.bias" in words
    words = message(nn.LSTM(3, 5), Model(0).state_dict())
    assert "prefix='lstm.'" in words


def test_names_of_cells_and_layers_are_told_apart():
    cell, layer = nn.LSTMCell(3, 5, seed=0), nn.LSTM(3, 5, seed=1)
    words = message(layer, cell.state_dict())
    assert "hint: these are a cell's names" in words and "cell_to_layer(state_dict)" in words
    words = message(cell, layer.state_dict())
    assert "hint: these are a layer's names" in words and "layer_to_cell(state_dict)" in words
    assert "hint" not in message(layer, {"other": 1})


def test_transposed_arrays_are_told():
    layer = nn.LSTM(3, 5, seed=0)
    saved = {name: value.T for name, value in layer.state_dict().items()}
    words = message(layer, saved)
    assert "weight_ih_l0: expected shape (20, 3), got (3, 20)" in words
    assert "hint: arrays are transposed" in words and "from_keras" in words


def test_half_precision_is_cast():
    layer, other = nn.LSTM(3, 5, seed=0), nn.LSTM(3, 5, dtype="f8", seed=1)
    half = {name: value.astype(np.float16) for name, value in layer.state_dict().items()}
    other.load_state_dict(half)
    for name, value in other.state_dict().items():
        assert value.dtype == np.float64 and np.array_equal(value, half[name])


def test_torchs_tensors_are_taken_as_they_are():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.LSTM(3, 5).to(torch.bfloat16)
    ours = nn.LSTM(3, 5, seed=0)
    ours.load_state_dict(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert np.array_equal(ours.state_dict()[name], value.float().numpy())
    with pytest.raises(TypeError, match=r"weight_ih_l0: expected real numbers.*requires grad"):
        ours.load_state_dict(dict(theirs.named_parameters()))
