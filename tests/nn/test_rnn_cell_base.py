"""Cells of one state: torch's numbers, the layer's steps, and refusals by name."""

from __future__ import annotations

import numpy as np
import pytest
from lstm_tool import assert_all_close

from numba_lstm import nn

CELLS = {
    "GRUCell": (nn.GRUCell, nn.GRU, {}),
    "RNNCell": (nn.RNNCell, nn.RNN, {}),
    "RNNCell-relu": (nn.RNNCell, nn.RNN, {"nonlinearity": "relu"}),
    "GRUCell-before": (nn.GRUCell, nn.GRU, {"reset_after": False}),
}
TORCHS = [name for name in CELLS if name != "GRUCell-before"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", TORCHS)
def test_a_step_and_its_gradients_are_torchs(rng, name, bias):
    torch = pytest.importorskip("torch")
    kind, _, options = CELLS[name]
    for batch, inputs, hidden in ((1, 1, 1), (3, 5, 17), (7, 20, 65)):
        for dtype in ("f4", "f8"):
            cell = kind(inputs, hidden, bias, dtype=dtype, seed=0, **options)
            twin = getattr(torch.nn, kind.__name__)(
                inputs, hidden, bias, dtype=getattr(torch, cell.dtype.name), **options
            )
            twin.load_state_dict({n: torch.from_numpy(v) for n, v in cell.state_dict().items()})
            x, h, dh = (
                rng.standard_normal((batch, n)).astype(dtype) for n in (inputs, hidden, hidden)
            )
            out, pullback = cell.vjp(x, h)
            assert np.array_equal(out, cell(x, h))
            dx, dh_prev = pullback(dh)
            found = {"h": out, "dx": dx, "dh": dh_prev}
            found |= {n: p.grad for n, p in cell.named_parameters()}
            leaves = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, h)]
            theirs = twin(*leaves)
            theirs.backward(torch.from_numpy(dh))
            expected = {"h": theirs.detach(), "dx": leaves[0].grad, "dh": leaves[1].grad}
            expected |= {n: p.grad for n, p in twin.named_parameters()}
            assert_all_close(found, {n: v.numpy() for n, v in expected.items()}, dtype)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_seed_gives_the_same_parameters_again_and_another_others(kind):
    one, again, other = (kind(3, 5, seed=seed).state_dict() for seed in (7, 7, 8))
    for name, values in one.items():
        assert np.array_equal(values, again[name])
        assert not np.array_equal(values, other[name])


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_stepped_over_a_sequence_is_the_layer(rng, name):
    kind, layer_kind, options = CELLS[name]
    layer = layer_kind(4, 19, seed=0, **options)
    cell = kind(4, 19, **options)
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.state_dict().items()})
    x = rng.standard_normal((6, 3, 4)).astype("f4")
    y, hn = layer(x)
    h = None
    for t in range(6):
        h = cell(x[t], h)
        assert np.array_equal(h, y[t])
    assert np.array_equal(h, hn[0])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_a_cells_gradients_are_those_of_one_step_of_the_layer(rng, name, bias):
    kind, layer_kind, options = CELLS[name]
    for dtype in ("f4", "f8"):
        layer = layer_kind(4, 19, bias=bias, dtype=dtype, seed=0, **options)
        cell = kind(4, 19, bias, dtype=dtype, **options)
        cell.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.state_dict().items()})
        x, h, dh = (rng.standard_normal((3, n)).astype(dtype) for n in (4, 19, 19))
        (y, _), layer_back = layer.vjp(x[None], h[None])
        out, cell_back = cell.vjp(x, h)
        assert np.array_equal(out, y[0])
        for one, other in zip(cell_back(dh), layer_back(None, dh[None])):
            assert np.array_equal(one, other[0])
        for one, other in zip(cell.parameters(), layer.parameters(), strict=True):
            assert np.array_equal(one.grad, other.grad)


@pytest.mark.parametrize("name", CELLS)
def test_a_single_row_and_missing_state_are_taken_as_torch_takes_them(name):
    kind, _, options = CELLS[name]
    cell = kind(4, 6, seed=0, **options)
    assert cell(np.ones(4)).shape == (6,)
    assert np.array_equal(cell(np.ones(4)), cell(np.ones((1, 4)), np.zeros((1, 6)))[0])
    h, pullback = cell.vjp(np.ones(4), np.ones(6))
    dx, dh = pullback(h)
    assert dx.shape == (4,) and dh.shape == (6,)


@pytest.mark.parametrize("name", CELLS)
def test_bad_arguments_are_refused_by_name(name):
    kind, _, options = CELLS[name]
    cell = kind(4, 6, seed=0, **options)
    for method in (cell, cell.vjp):
        with pytest.raises(ValueError, match=r"x: expected shape \(B, 4\) or \(4,\), got \(3, 5\)"):
            method(np.ones((3, 5)))
        with pytest.raises(ValueError, match=r"h0: expected shape \(3, 6\), got \(3, 5\)"):
            method(np.ones((3, 4)), np.ones((3, 5)))
        with pytest.raises(TypeError, match="x: expected real numbers"):
            method(None)
    with pytest.raises(ValueError, match="dh: expected shape"):
        cell.vjp(np.ones((3, 4)))[1](np.ones((3, 5)))
    assert all(p.grad is None for p in cell.parameters())
    with pytest.raises(ValueError, match="hidden_size: expected at least 1"):
        kind(4, 0)


def test_an_unknown_nonlinearity_is_refused_by_name():
    for kind in (nn.RNN, nn.RNNCell):
        with pytest.raises(ValueError, match="nonlinearity: expected 'tanh' or 'relu', got 'cos'"):
            kind(2, 3, nonlinearity="cos")


def test_names_shapes_and_repr_are_torchs():
    torch = pytest.importorskip("torch")
    for kind, _, options in map(CELLS.get, TORCHS):
        cell = kind(4, 6, **options)
        twin = getattr(torch.nn, kind.__name__)(4, 6, **options)
        expected = {n: tuple(p.shape) for n, p in twin.named_parameters()}
        assert {n: p.shape for n, p in cell.named_parameters()} == expected
        assert repr(cell) == repr(twin)


@pytest.mark.parametrize("name, value, error, message", [
    ("weight_ih", nn.Parameter(np.ones((24, 9), "f4")), ValueError,
     r"expected shape \(24, 8\) of float32, got \(24, 9\) of float32"),
    ("weight_hh", nn.Parameter(np.ones((48, 16), "f4")), ValueError, "expected shape"),
    ("weight_hh", nn.Parameter(np.ones((24, 8))), ValueError, ".* of float64$"),
    ("bias_ih", nn.Parameter(np.ones(23, "f4")), ValueError, "expected shape"),
    ("bias_hh", None, ValueError, "expected a Parameter as bias_ih is one, got None"),
    ("weight_ih", None, TypeError, "expected a Parameter"),
])  # fmt: skip
def test_an_exchanged_parameter_that_does_not_fit_is_refused_by_name(name, value, error, message):
    cell = nn.GRUCell(8, 8, seed=0)
    x = np.ones((2, 8), "f4")
    cell(x)
    setattr(cell, name, value)
    for call in (cell, cell.vjp):
        with pytest.raises(error, match=f"^{name}: {message}"):
            call(x)
