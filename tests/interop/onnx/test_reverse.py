"""A layer that runs from the end only: what the second direction of a bidirectional one does."""

from __future__ import annotations

import numpy as np
import pytest
from export_tool import assert_near, proto, run, saved

from numba_lstm import nn, testing
from numba_lstm.interop import onnx
from numba_lstm.interop.onnx.reverse import Reverse, turned


def pair(kind, **options):
    """A bidirectional module, and its second direction alone."""
    both = kind(3, 4, bidirectional=True, seed=0, **options)
    alone = kind(3, 4, seed=1, **options)
    names = dict(both.named_parameters())
    for name, parameter in alone.named_parameters():
        parameter[...] = names[f"{name}_reverse"].numpy()
    return both, Reverse(alone)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
@pytest.mark.parametrize("batch_first", [False, True])
def test_it_is_the_second_direction(kind, lengths, batch_first, rng):
    both, alone = pair(kind, batch_first=batch_first)
    x = rng.standard_normal((3, 5, 3) if batch_first else (5, 3, 3)).astype(np.float32)
    (y, state), back = both.vjp(x, None, lengths)
    (own, own_state), own_back = alone.vjp(x, None, lengths)
    first, own_first = (one[0] if kind is nn.LSTM else one for one in (state, own_state))
    assert np.array_equal(own, y[..., 4:]) and np.array_equal(own_first[0], first[1])
    assert np.array_equal(alone(x, None, lengths)[0], own)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dy[..., :4] = 0
    dx, _ = back(dy)
    own_dx, _ = own_back(dy[..., 4:])
    assert np.allclose(own_dx, dx, atol=1e-6)


def test_gradients_are_right():
    module = Reverse(nn.GRU(2, 3, dtype="float64", seed=0))
    testing.gradcheck(module, np.ones((4, 2, 2)))


def test_a_single_sequence_runs_from_its_end(rng):
    _, alone = pair(nn.LSTM)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    assert np.array_equal(alone(x)[0], alone(x[:, None])[0][:, 0])
    for module in (alone, alone.module):
        with pytest.raises(ValueError, match="lengths: expected none for a single sequence"):
            module(x, None, [5])


def test_wrong_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="module: expected one direction"):
        Reverse(nn.LSTM(3, 4, bidirectional=True))
    module = Reverse(nn.LSTM(3, 4))
    with pytest.raises(ValueError, match="x: expected 2 or 3 dimensions, got 1"):
        module(np.ones(3))
    with pytest.raises(ValueError, match="lengths: expected 0 to 5, got 6"):
        module(np.ones((5, 2, 3)), None, [6, 1])
    (y, _), back = module.vjp(np.ones((5, 2, 3)))
    with pytest.raises(ValueError, match="dy: expected shape"):
        back(y[1:])


@pytest.mark.parametrize("lengths", [None, [5, 2, 3]])
def test_what_it_gives_is_contiguous(lengths, rng):
    _, alone = pair(nn.LSTM)
    (y, _), back = alone.vjp(rng.standard_normal((5, 3, 3)), None, lengths)
    assert y.flags.carray and back(y)[0].flags.carray


def test_in_a_sequential_y_goes_on(rng):
    _, alone = pair(nn.GRU)
    head = nn.Linear(4, 2, seed=0)
    model = nn.Sequential(alone, head)
    x = rng.standard_normal((5, 3, 3)).astype(np.float32)
    y, back = model.vjp(x, [5, 2, 3])
    own, own_back = alone.vjp(x, None, [5, 2, 3])
    out, head_back = head.vjp(own[0])
    assert np.array_equal(y, out) and np.array_equal(model(x, [5, 2, 3]), out)
    dy = np.ones_like(y)
    assert np.array_equal(back(dy)[0], own_back(head_back(dy))[0])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("batch_first", [False, True])
def test_it_is_written_as_the_direction_reverse(kind, batch_first, rng, tmp_path):
    pytest.importorskip("onnx")
    module = Reverse(kind(3, 4, 2, batch_first=batch_first, seed=0))
    x = rng.standard_normal((3, 5, 3) if batch_first else (5, 3, 3)).astype(np.float32)
    session = saved(module, tmp_path)
    for lengths in (None, [5, 2, 3]):
        feeds = {} if lengths is None else {"lengths": lengths}
        y, state = module(x, None, lengths)
        state = state if kind is nn.LSTM else (state,)
        assert_near(run(session, x=x, **feeds), {"y": y, **dict(zip(("hn", "cn"), state))})
    directions = {
        onnx_attribute.s
        for node in proto(tmp_path).graph.node
        for onnx_attribute in node.attribute
        if onnx_attribute.name == "direction"
    }
    assert directions == {b"reverse"}
    again = onnx.load(tmp_path / "model.onnx")
    assert repr(again) == repr(module)
    assert np.array_equal(again(x)[0], module(x)[0])


def test_inside_a_sequential_it_is_written_too(rng, tmp_path):
    module = nn.Sequential(Reverse(nn.GRU(3, 4, batch_first=True, seed=0)), nn.Linear(4, 2, seed=0))
    x = rng.standard_normal((3, 5, 3)).astype(np.float32)
    lengths = [5, 2, 3]
    found = run(saved(module, tmp_path), x=x, lengths=lengths)
    assert_near(found, {"y": module(x, lengths)})
    with pytest.raises(ValueError, match=r"^0\.module: expected GRU without zoneout"):
        saved(nn.Sequential(Reverse(nn.GRU(3, 4, zoneout=0.1))), tmp_path)


def test_padding_stays_where_it_is():
    x = np.arange(6).reshape(3, 2)
    assert turned(x, np.array([2, 3])).tolist() == [[2, 5], [0, 3], [4, 1]]
    assert turned(x.T, np.array([2, 3]), 1).tolist() == [[2, 0, 4], [5, 3, 1]]
    assert turned(x, None).tolist() == [[4, 5], [2, 3], [0, 1]]
