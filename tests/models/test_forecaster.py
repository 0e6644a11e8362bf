"""The forecaster: gradients, torch's numbers, the future's columns, layouts, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp
from long_tool import LONG

from numba_lstm.models import Forecaster

LENGTHS = np.array([5, 0, 2, 1])


def make(future=2, **options):
    return Forecaster(3, 5, 2, 4, future_size=future, seed=1, dtype="float64", **options)


@pytest.mark.parametrize(
    ("x", "future", "lengths", "options"),
    [
        ((5, 4, 3), (4, 4, 2), None, {}),
        ((5, 4, 3), (4, 4, 2), LENGTHS, {"bidirectional": True, "num_layers": 2, "dropout": 0.3}),
        ((4, 5, 3), (4, 4, 2), LENGTHS, {"batch_first": True}),
        ((3, 5, 3), (3, 4, 2), None, {"batch_first": True}),
        ((1, 4, 3), (4, 4, 2), None, {}),
        ((5, 3), (4, 2), None, {}),
        ((5, 3), (4, 2), None, {"batch_first": True}),
        ((5, 4, 3), None, LENGTHS, {"bidirectional": True}),
    ],
)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_gradient_equals_differences(cell, x, future, lengths, options, rng):
    model = make(future=0 if future is None else 2, cell=cell, **options)
    known = None if future is None else rng.standard_normal(future)
    check_vjp(model, rng.standard_normal(x), known, lengths, rng=rng, samples=12 if LONG else 4)


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_same_network_in_torch_gives_the_same(batch_first, rng):
    torch = pytest.importorskip("torch")
    model = make(batch_first=batch_first, num_layers=2)
    state = {k: torch.from_numpy(v) for k, v in model.state_dict().items()}
    theirs = torch.nn.LSTM(3, 5, 2, batch_first=batch_first).double()
    theirs.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("rnn.")})
    x, future = rng.standard_normal((6, 7, 3)), rng.standard_normal((7, 4, 2))
    if batch_first:
        x = x.swapaxes(0, 1)
    else:
        future = future.swapaxes(0, 1)
    h = theirs(torch.from_numpy(x))[1][0][-1]
    known = torch.from_numpy(future)
    known = known if batch_first else known.transpose(0, 1)
    joined = torch.cat([h, known.reshape(7, 8)], dim=1)
    expected = (joined @ state["head.weight"].T + state["head.bias"]).reshape(7, 4, 2)
    expected = expected if batch_first else expected.transpose(0, 1)
    assert_close(model(x, future), expected.detach().numpy(), 1e-12)


def test_rows_and_columns_of_the_head_are_as_documented(rng):
    model = make()
    x, future = rng.standard_normal((5, 4, 3)), rng.standard_normal((4, 4, 2))
    before = model(x, future)
    assert model.head.weight.shape == (4 * 2, 5 + 4 * 2)
    step, output, known_step, known = 2, 1, 3, 0
    weight = model.head.weight.numpy().copy()
    weight[step * 2 + output, 5 + known_step * 2 + known] += 1
    model.head.weight[...] = weight
    change = np.zeros_like(before)
    change[step, :, output] = future[known_step, :, known]
    assert_close(model(x, future) - before, change, 1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_call_in_evaluation_equals_vjp_to_the_bit(dtype, rng):
    model = Forecaster(3, 19, 2, 7, 2, future_size=1, dropout=0.5, dtype=dtype, seed=0).eval()
    x, future = rng.standard_normal((9, 4, 3)), rng.standard_normal((7, 4, 1))
    for lengths in (None, [9, 0, 4, 8]):
        y = model(x, future, lengths)
        assert y.shape == (7, 4, 2) and y.dtype == dtype and y.flags.c_contiguous
        assert np.array_equal(y, model.vjp(x, future, lengths)[0])


def test_an_empty_sequence_is_forecast_from_the_bias_and_the_future(rng):
    model = make(future=0)
    y = model(rng.standard_normal((5, 4, 3)), lengths=LENGTHS)
    assert np.array_equal(y[:, 1].reshape(-1), model.head.bias.numpy())


def test_a_batch_of_no_sequences_works():
    y, pullback = make().vjp(np.zeros((5, 0, 3)), np.zeros((4, 0, 2)))
    assert y.shape == (4, 0, 2)
    assert [one.shape for one in pullback(y)] == [(5, 0, 3), (4, 0, 2)]


def test_without_a_future_its_gradient_is_none(rng):
    y, pullback = make(future=0).vjp(rng.standard_normal((5, 4, 3)))
    dx, dfuture = pullback(np.ones_like(y))
    assert dx.shape == (5, 4, 3) and dfuture is None


def test_repr_shows_the_sizes():
    assert "horizon=4, output_size=2, future_size=2\n" in repr(make())
    assert "horizon=4, output_size=2\n" in repr(make(future=0))


@pytest.mark.parametrize(
    ("size", "future", "words"),
    [
        (0, np.zeros((4, 4, 2)), "future: expected None with future_size=0"),
        (2, None, "future: expected an array, as future_size is 2"),
        (2, np.zeros((5, 4, 2)), r"future: expected shape \(4, 4, 2\), got \(5, 4, 2\)"),
        (2, np.zeros((4, 2)), r"future: expected shape \(4, 4, 2\), got \(4, 2\)"),
    ],
)
def test_a_future_that_does_not_fit_is_refused(size, future, words):
    model = make(future=size)
    for call in (model, model.vjp):
        with pytest.raises(ValueError, match=rf"^{words}"):
            call(np.zeros((5, 4, 3)), future)


def test_wrong_sizes_inputs_and_cotangents_are_refused_by_name():
    for name, value in (("horizon", 0), ("output_size", 0), ("future_size", -1)):
        sizes = {"output_size": 1, "horizon": 2, "future_size": 0, name: value}
        with pytest.raises(ValueError, match=rf"^{name}: expected at least"):
            Forecaster(3, 4, **sizes)
    model = make(future=0)
    with pytest.raises(ValueError, match=r"^x: expected shape"):
        model(np.zeros((5, 4, 2)))
    with pytest.raises(ValueError, match=r"^x: expected shape"):
        make()(np.zeros(3), np.zeros((4, 2)))
    y, pullback = model.vjp(np.zeros((5, 4, 3)))
    with pytest.raises(ValueError, match=r"^dy: expected shape"):
        pullback(y[0])
    assert all(p.grad is None for p in model.parameters())
