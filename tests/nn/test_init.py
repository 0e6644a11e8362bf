from __future__ import annotations

import math

import numpy as np
import pytest

from numba_lstm.nn import Embedding, Linear, Module, Parameter, init

DRAWS = [
    lambda p, seed: init.uniform_(p, -2, 3, seed=seed),
    lambda p, seed: init.normal_(p, 1, 2, seed=seed),
    lambda p, seed: init.xavier_uniform_(p, 1.5, seed=seed),
    lambda p, seed: init.xavier_normal_(p, gates=4, seed=seed),
    lambda p, seed: init.kaiming_uniform_(p, math.sqrt(5), seed=seed),
    lambda p, seed: init.orthogonal_(p, gates=4, seed=seed),
]


class RNNBase(Module):
    """The names and shapes of an LSTM's first layer (gates=4) or of a GRU's (gates=3)."""

    def __init__(self, inputs, hidden, gates=4, bias=True):
        self.hidden_size = hidden
        self.weight_ih_l0 = Parameter(np.zeros((gates * hidden, inputs), np.float32))
        self.weight_hh_l0 = Parameter(np.zeros((gates * hidden, hidden), np.float32))
        if bias:
            self.bias_ih_l0 = Parameter(np.full(gates * hidden, 7, np.float32))
            self.bias_hh_l0 = Parameter(np.full(gates * hidden, 7, np.float32))


@pytest.mark.usefixtures("global_random_state_stays")
@pytest.mark.parametrize("draw", DRAWS)
def test_a_seed_gives_the_same_values_in_both_dtypes(draw):
    small, wide = Parameter(np.zeros((8, 5), np.float32)), np.zeros((8, 5))
    assert draw(small, 3) is small
    assert draw(wide, np.random.default_rng(3)) is wide
    assert np.array_equal(small.numpy(), wide.astype(np.float32))
    assert small.version == 1
    assert wide.std() > 0
    assert not np.array_equal(draw(np.zeros((8, 5)), 4), wide)


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda p: init.xavier_uniform_(p, 1.7, seed=0), lambda i, t: i.xavier_uniform_(t, 1.7)),
        (lambda p: init.xavier_normal_(p, seed=0), lambda i, t: i.xavier_normal_(t)),
        (lambda p: init.kaiming_uniform_(p, 0.3, seed=0), lambda i, t: i.kaiming_uniform_(t, 0.3)),
        (lambda p: init.normal_(p, 2, 3, seed=0), lambda i, t: i.normal_(t, 2, 3)),
        (lambda p: init.uniform_(p, 2, 3, seed=0), lambda i, t: i.uniform_(t, 2, 3)),
        (lambda p: init.orthogonal_(p, 1.3, seed=0), lambda i, t: i.orthogonal_(t, 1.3)),
    ],
)
@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (60, 20, 50)])
def test_distributions_are_torchs(ours, theirs, shape):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    tensor = torch.zeros(shape)
    theirs(torch.nn.init, tensor)
    expected, found = np.sort(tensor.numpy().ravel()), np.sort(ours(np.zeros(shape)).ravel())
    # Two samples of 60,000 from one distribution: their distribution functions differ by less than
    # 0.0112 in 999 of 1000 cases (Kolmogorov-Smirnov).
    both = np.concatenate([expected, found])
    gap = np.searchsorted(expected, both, "right") - np.searchsorted(found, both, "right")
    assert np.abs(gap).max() / expected.size < 0.0112


def test_xavier_bounds_count_one_gate():
    w = init.xavier_uniform_(np.zeros((400, 50)), gates=4, seed=0)
    bound = math.sqrt(6 / (50 + 100))
    assert 0.99 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize("shape, gates", [((20, 5), 4), ((8, 9), 4), ((7, 7), 1), ((6, 2, 3), 1)])
def test_orthogonal_blocks_are_orthogonal(shape, gates):
    w = init.orthogonal_(np.zeros(shape), 2.0, gates=gates, seed=0)
    for block in np.split(w.reshape(shape[0], -1), gates):
        product = block @ block.T if block.shape[0] <= block.shape[1] else block.T @ block
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), rtol=0, atol=1e-13)


def test_constants():
    p = Parameter(np.ones((2, 3), np.float32))
    assert (init.zeros_(p).numpy() == 0).all()
    assert (init.ones_(p).numpy() == 1).all()
    assert (init.constant_(p, -2.5).numpy() == -2.5).all()


@pytest.mark.parametrize("function", [init.xavier_uniform_, init.xavier_normal_, init.orthogonal_])
def test_shapes_that_do_not_fit_are_refused(function):
    p = Parameter(np.ones(4))
    with pytest.raises(ValueError, match="tensor: expected at least 2 dimensions, got 1"):
        function(p)
    with pytest.raises(ValueError, match="rows that divide into 4 gates, got 6"):
        function(np.zeros((6, 2)), gates=4)
    assert p.version == 0


@pytest.mark.parametrize("tensor", [np.zeros((2, 2), int), [[1.0]], None])
def test_what_cannot_be_written_is_refused(tensor):
    with pytest.raises(TypeError, match="tensor: expected a Parameter or an array of floats"):
        init.uniform_(tensor)


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
