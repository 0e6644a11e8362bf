"""torch's tensors and names."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import weights


def test_tensors_become_arrays_of_their_own():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.ModuleDict({"rnn": torch.nn.GRU(3, 5).to(torch.bfloat16)})
    found = weights.from_torch(theirs.state_dict(), prefix="rnn")
    ours = nn.GRU(3, 5)
    ours.load_state_dict(found)
    for name, value in theirs["rnn"].state_dict().items():
        assert type(found[name]) is np.ndarray and found[name].dtype == np.float32
        assert np.array_equal(found[name], value.float().numpy())
    wide = torch.ones(2)
    copy = weights.from_torch({"a": wide})["a"]
    wide[0] = 7
    assert copy.tolist() == [1, 1]
    with pytest.raises(TypeError, match=r"^a: expected real numbers, .* type Tensor"):
        weights.from_torch({"a": torch.empty(2, device="meta")})


def test_cells_become_layers_and_back(rng):
    cells = nn.LSTMCell(3, 5, seed=0), nn.LSTMCell(5, 5, seed=1)
    state = weights.cell_to_layer(cells[0].state_dict())
    state |= weights.cell_to_layer(cells[1].state_dict(), layer=1)
    stack = nn.LSTM(3, 5, 2)
    stack.load_state_dict(state)
    x = rng.standard_normal((4, 2, 3))
    y, _ = stack(x)
    one = two = None
    for t in range(4):
        one = cells[0](x[t], one)
        two = cells[1](one[0], two)
        assert np.array_equal(two[0], y[t])
    for layer, cell in enumerate(cells):
        back = weights.layer_to_cell(state, layer)
        expected = cell.state_dict()
        assert back.keys() == expected.keys()
        assert all(np.array_equal(back[name], expected[name]) for name in back)


def test_names_within_a_model_keep_what_stands_before_and_others_stay():
    state = {"a.weight_ih": 1, "a.bias_hh": 2, "head.weight": 3, "weight": 4}
    layers = weights.cell_to_layer(state, layer=1, reverse=True)
    assert layers == {
        "a.weight_ih_l1_reverse": 1, "a.bias_hh_l1_reverse": 2, "head.weight": 3, "weight": 4,
    }  # fmt: skip
    assert weights.layer_to_cell(layers, 1, True) == state


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"^state_dict: expected names that end in _l1, got none"):
        weights.layer_to_cell(nn.LSTM(3, 5).state_dict(), 1)
    with pytest.raises(TypeError, match=r"^layer: expected an integer"):
        weights.cell_to_layer({}, "0")
    with pytest.raises(TypeError, match=r"^state_dict: expected a mapping"):
        weights.cell_to_layer([])


@pytest.mark.parametrize("prefix", ["net.rnn", "net.rnn."])
def test_a_prefix_may_end_in_its_dot_or_not_wherever_one_is_taken(prefix):
    lstm = nn.LSTM(3, 5, bidirectional=True, seed=0)
    saved = lstm.state_dict(prefix=prefix) | {"net.head.weight": np.ones(2)}
    assert saved.keys() >= {f"net.rnn.{name}" for name in lstm.state_dict()}
    assert dict(lstm.named_parameters(prefix)).keys() < saved.keys()
    assert next(iter(lstm.named_modules(prefix)))[0] == "net.rnn"
    plain = lstm.state_dict()
    for found, wanted in (
        (weights.from_torch(saved, prefix), plain),
        (weights.to_module(saved, prefix).state_dict(), plain),
        (weights.to_onnx(saved, prefix=prefix), weights.to_onnx(plain)),
        (weights.to_numpy(saved, "ifgo", prefix=prefix), weights.to_numpy(plain, "ifgo")),
        (
            dict(enumerate(weights.to_keras(saved, prefix=prefix))),
            dict(enumerate(weights.to_keras(plain))),
        ),
    ):
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    for use in (weights.to_onnx, weights.to_keras):
        with pytest.raises(ValueError, match=r"^prefix: .* got 'other'; they begin with 'net'"):
            use(saved, prefix="other")
