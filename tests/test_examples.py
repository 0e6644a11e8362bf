"""The worked examples that people learn LSTMs with, each run as they would write it."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm import losses, nn, optim
from numba_lstm.nn import init


def test_two_layers_over_five_steps_with_states(rng):
    lstm = nn.LSTM(10, 20, 2)
    x = rng.standard_normal((5, 3, 10))
    h0, c0 = rng.standard_normal((2, 3, 20)), rng.standard_normal((2, 3, 20))
    output, (hn, cn) = lstm(x, (h0, c0))
    assert output.shape == (5, 3, 20)
    assert hn.shape == cn.shape == (2, 3, 20)
    assert np.array_equal(output[-1], hn[-1])


def test_one_element_at_a_time_equals_the_whole_sequence_at_once(rng):
    lstm = nn.LSTM(3, 3)
    inputs = [rng.standard_normal((1, 3)) for _ in range(5)]
    first = (rng.standard_normal((1, 1, 3)), rng.standard_normal((1, 1, 3)))
    hidden, outputs = first, []
    for i in inputs:
        out, hidden = lstm(i.reshape(1, 1, -1), hidden)
        outputs.append(out)
    out, last = lstm(np.concatenate(inputs).reshape(len(inputs), 1, -1), first)
    assert np.array_equal(np.concatenate(outputs), out)
    assert np.array_equal(hidden[0], last[0]) and np.array_equal(hidden[1], last[1])


def test_two_cells_are_stepped_over_a_sequence_and_trained_through_their_pullbacks(rng):
    one, two = nn.LSTMCell(30, 20, seed=0), nn.LSTMCell(20, 10, seed=1)
    x, target = rng.standard_normal((12, 3, 30)), np.tanh(rng.standard_normal((3, 10)))
    optimizer = optim.Adam([*one.parameters(), *two.parameters()], lr=0.02)
    history = []
    for _ in range(40):
        state_one = state_two = None
        tape = []
        for x_t in x:
            state_one, back_one = one.vjp(x_t, state_one)
            state_two, back_two = two.vjp(state_one[0], state_two)
            tape.append((back_one, back_two))
        assert state_two[0].shape == (3, 10)
        loss, dh_two = losses.mse(state_two[0], target)
        history.append(loss)
        optimizer.zero_grad()
        dc_two = dh_one = dc_one = None
        for back_one, back_two in reversed(tape):
            dx_two, (dh_two, dc_two) = back_two((dh_two, dc_two))
            dh_one = dx_two if dh_one is None else dh_one + dx_two
            dx, (dh_one, dc_one) = back_one((dh_one, dc_one))
            assert dx.shape == (3, 30)
        optimizer.step()
    assert history[-1] < 0.1 * history[0]


def test_a_cell_of_100_inputs_and_20_units_has_these_shapes():
    cell = nn.LSTMCell(100, 20)
    assert cell.weight_ih.shape == (80, 100)
    assert cell.weight_hh.shape == (80, 20)
    assert cell.bias_ih.shape == cell.bias_hh.shape == (80,)


def test_200_inputs_and_1000_units_over_a_sequence_of_70(rng):
    torch = pytest.importorskip("torch")
    lstm = nn.LSTM(200, 1000, seed=0)
    x = rng.standard_normal((70, 1, 200)).astype("f4")
    twin = torch.nn.LSTM(200, 1000)
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in lstm.state_dict().items()})
    x_torch = torch.from_numpy(x).requires_grad_()
    expected, _ = twin(x_torch)
    expected.sum().backward()
    (y, (hn, _)), pullback = lstm.vjp(x)
    assert y.shape == (70, 1, 1000) and hn.shape == (1, 1, 1000)
    dx, _ = pullback(np.ones_like(y))
    assert_close(y, expected.detach().numpy(), 1e-5)
    assert_close(dx, x_torch.grad.numpy(), 1e-5)
    assert_close(lstm.weight_hh_l0.grad, twin.weight_hh_l0.grad.numpy(), 2e-5)


def test_the_sky_is_blue_goes_through_an_embedding_and_stacked_cells():
    words = ["the", "sky", "is", "blue"]
    number = {word: n for n, word in enumerate(sorted(words))}
    tokens = [number[word] for word in words]
    embedding, one, two = nn.Embedding(4, 2), nn.LSTMCell(2, 5), nn.LSTMCell(5, 3)
    vectors = embedding(tokens)
    assert vectors.shape == (4, 2)
    assert np.array_equal(vectors[1], embedding.weight.numpy()[number["sky"]])
    state_one = state_two = None
    for vector in vectors:  # one sequence, no batch
        state_one = one(vector, state_one)
        state_two = two(state_one[0], state_two)
    assert state_one[0].shape == (5,) and state_two[0].shape == state_two[1].shape == (3,)
    assert (np.abs(state_two[0]) < 1).all()


def test_both_directions_double_the_width_of_the_output(rng):
    lstm = nn.LSTM(10, 20, bidirectional=True)
    x = rng.standard_normal((5, 3, 10))
    y, (hn, cn) = lstm(x)
    assert y.shape == (5, 3, 40)
    assert hn.shape == cn.shape == (2, 3, 20)
    assert np.array_equal(y[-1, :, :20], hn[0])  # forward ends at the last step
    assert np.array_equal(y[0, :, 20:], hn[1])  # the other direction at the first
    forward, backward = nn.LSTM(10, 20), nn.LSTM(10, 20)
    state = lstm.state_dict()
    forward.load_state_dict({k: v for k, v in state.items() if "reverse" not in k})
    backward.load_state_dict(
        {k.removesuffix("_reverse"): v for k, v in state.items() if "reverse" in k}
    )
    assert np.array_equal(y[..., :20], forward(x)[0])
    assert np.array_equal(y[..., 20:], backward(x[::-1])[0][::-1])


def test_states_may_be_xavier_initialised_by_the_caller(rng):
    h0 = init.xavier_normal_(np.empty((2, 3, 20), "f4"), seed=0)
    c0 = init.xavier_normal_(np.empty((2, 3, 20), "f4"), seed=1)
    lstm = nn.LSTM(10, 20, 2)
    x = rng.standard_normal((5, 3, 10))
    y, (hn, cn) = lstm(x, (h0, c0))
    assert y.shape == (5, 3, 20) and hn.shape == cn.shape == (2, 3, 20)
    assert not np.array_equal(y, lstm(x)[0])
    same = lstm(x, (init.xavier_normal_(np.empty((2, 3, 20), "f4"), seed=0), c0))
    assert np.array_equal(y, same[0])
