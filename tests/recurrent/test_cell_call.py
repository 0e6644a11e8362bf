"""One step of a cell is one step of the layer, to the bit, and what is refused harms nothing."""

from __future__ import annotations

import numpy as np
import pytest

import numba_lstm
from numba_lstm import nn
from numba_lstm.recurrent.cell_call import CellCall

CELLS = {
    "lstm": (nn.LSTMCell, nn.LSTM, {}),
    "gru": (nn.GRUCell, nn.GRU, {}),
    "gru-before": (nn.GRUCell, nn.GRU, {"reset_after": False}),
    "rnn": (nn.RNNCell, nn.RNN, {}),
}


def pair_of(kind, inputs, hidden):
    make, make_layer, options = CELLS[kind]
    layer, cell = (one(inputs, hidden, seed=0, **options) for one in (make_layer, make))
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.state_dict().items()})
    return cell, layer


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("batch, hidden", [(1, 33), (5, 16), (2, 300)])
def test_a_step_is_one_of_the_layer_whatever_stands_in_new_memory(rng, kind, given, batch, hidden):
    cell, layer = pair_of(kind, 7, hidden)
    x = rng.standard_normal((batch, 7)).astype("f4")
    states = [rng.standard_normal((batch, hidden)).astype("f4") for _ in layer.STATES]
    one = tuple(states) if len(states) == 2 else states[0]
    many = tuple(s[None] for s in states) if len(states) == 2 else one[None]
    numba_lstm.set_num_threads(2 if numba_lstm.threads.most_threads() > 1 else 1)
    (_, expected), back = layer.vjp(x[None], many if given else None)
    dx, dinitial = back(None, many)
    found, pullback = cell.vjp(x, one if given else None)
    assert np.array_equal(found, np.squeeze(expected, -3))
    assert np.array_equal(cell(x, one if given else None), found)
    dx_found, d_found = pullback(one)
    assert np.array_equal(dx_found, dx[0])
    assert np.array_equal(d_found, np.squeeze(dinitial, -3))
    for p, q in zip(cell.parameters(), layer.parameters(), strict=True):
        assert np.array_equal(p.grad, q.grad)


def test_a_cotangent_of_another_shape_is_refused_and_a_right_one_taken_after_it():
    cell = nn.LSTMCell(3, 5, seed=0)
    (h, _), pullback = cell.vjp(np.ones((2, 3)), (np.ones((2, 5)), np.ones((2, 5))))
    with pytest.raises(ValueError, match=r"dc: expected shape \(2, 5\), got \(5,\)"):
        pullback((h, np.ones(5)))
    with pytest.raises(TypeError, match=r"dstate: expected a pair \(dh, dc\)"):
        pullback(h)
    assert all(p.grad is None for p in cell.parameters())
    dx, (dh, dc) = pullback((h, None))
    assert dx.shape == (2, 3) and dh.shape == dc.shape == (2, 5)


def test_a_pullback_after_a_write_is_refused():
    cell = nn.LSTMCell(3, 5, seed=0)
    (h, _), pullback = cell.vjp(np.ones((2, 3)))
    cell.bias_hh[...] = 0
    with pytest.raises(RuntimeError, match=r"shape \(20,\) was written between"):
        pullback((h, None))


def test_results_share_no_memory():
    call = CellCall(nn.LSTMCell(3, 5, seed=0), np.ones((2, 3)), None)
    h, c = call.forward()
    dx, (dh, dc) = call.backward((h, c))
    arrays = h, c, dx, dh, dc
    for at, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[at + 1 :])
