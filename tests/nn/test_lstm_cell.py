"""nn.LSTMCell: torch's numbers, the same bits as the layer, refusals by name."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp
from lstm_tool import TOLERANCE

from numba_lstm import nn
from numba_lstm.reference.lstm import lstm_cell_forward

torch = pytest.importorskip("torch")


def twin_of(cell):
    twin = torch.nn.LSTMCell(
        cell.input_size,
        cell.hidden_size,
        cell.bias_ih is not None,
        dtype=getattr(torch, cell.dtype.name),
    )
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in cell.state_dict().items()})
    return twin


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_size_equals_torch(rng, dtype):
    sizes = [*range(1, 71, 3), 127, 128, 129]
    for number, (inputs, hidden) in enumerate(zip(rng.permutation(sizes), sizes)):
        bias, states, batched = number % 4 != 0, number % 3 != 0, number % 5 != 0
        cell = nn.LSTMCell(int(inputs), hidden, bias, dtype=dtype, seed=number)
        rows = (1 + number % 9,) if batched else ()

        def normal(width, rows=rows):
            return rng.standard_normal((*rows, width)).astype(dtype)

        x, dh, dc = normal(inputs), normal(hidden), normal(hidden)
        hx = (normal(hidden), normal(hidden)) if states else None
        (h, c), pullback = cell.vjp(x, hx)
        for one, two in zip((h, c), cell(x, hx)):
            assert np.array_equal(one, two)
        dx, (dh_prev, dc_prev) = pullback((dh, dc))
        found = {"h": h, "c": c, "dx": dx} | {n: p.grad for n, p in cell.named_parameters()}

        twin = twin_of(cell)
        arrays = [torch.from_numpy(a).requires_grad_() for a in (x, *(hx or ()))]
        outputs = twin(arrays[0], tuple(arrays[1:]) or None)
        torch.autograd.backward(outputs, [torch.from_numpy(d) for d in (dh, dc)])
        expected = {"h": outputs[0].detach(), "c": outputs[1].detach(), "dx": arrays[0].grad}
        expected |= {n: p.grad for n, p in twin.named_parameters()}
        if states:
            found |= {"dh_prev": dh_prev, "dc_prev": dc_prev}
            expected |= {"dh_prev": arrays[1].grad, "dc_prev": arrays[2].grad}
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            note = f"{name} {rows} {inputs} {hidden}"
            assert found[name].dtype == dtype
            assert_close(found[name], value.numpy(), TOLERANCE[np.dtype(dtype)], note)


@pytest.mark.parametrize("bias", [True, False])
def test_every_gradient_equals_differences(rng, bias):
    cell = nn.LSTMCell(3, 5, bias, dtype="f8", seed=0)
    x, h, c = (rng.standard_normal((4, n)) for n in (3, 5, 5))

    def pull(pullback, cotangents):
        return pullback(cotangents)

    check_vjp(cell, x, (h, c), rng=rng, pull=pull)
    weights = [getattr(cell, n) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    weights = [None if p is None else p.numpy() for p in weights]
    expected = lstm_cell_forward(x, h, c, *weights)[:2]
    for found, value in zip(cell(x, (h, c)), expected):
        assert_close(found, value, 1e-14)


def test_steps_have_the_bits_of_the_layer(rng):
    for inputs, hidden, batch in ((3, 5, 2), (20, 70, 1), (9, 33, 8)):
        layer, cell = nn.LSTM(inputs, hidden, seed=0), nn.LSTMCell(inputs, hidden)
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
        x = rng.standard_normal((6, batch, inputs)).astype("f4")
        y, (hn, cn) = layer(x)
        state = None
        for t in range(6):
            state = cell(x[t], state)
            assert np.array_equal(state[0], y[t])
        assert np.array_equal(state[0], hn[0]) and np.array_equal(state[1], cn[0])


def test_pullbacks_called_in_reverse_give_the_layers_gradients(rng):
    layer, cell = nn.LSTM(3, 5, dtype="f8", seed=0), nn.LSTMCell(3, 5, dtype="f8")
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x, dy = rng.standard_normal((6, 2, 3)), rng.standard_normal((6, 2, 5))
    dx, (dh0, dc0) = layer.vjp(x)[1](dy)
    state, pullbacks = None, []
    for x_t in x:
        state, pullback = cell.vjp(x_t, state)
        pullbacks.append(pullback)
    dh, dc = np.zeros((2, 2, 5))
    for t in reversed(range(6)):
        dx_t, (dh, dc) = pullbacks[t]((dh + dy[t], dc))
        assert_close(dx_t, dx[t], 1e-13)
    assert_close(dh, dh0[0], 1e-13)
    assert_close(dc, dc0[0], 1e-13)
    for name, p in cell.named_parameters():
        assert_close(p.grad, getattr(layer, f"{name}_l0").grad, 1e-13, name)


def test_an_empty_batch_gives_empty_outputs_and_zero_gradients():
    cell = nn.LSTMCell(3, 5, seed=0)
    for hx in (None, (np.zeros((0, 5)), np.zeros((0, 5)))):
        (h, c), pullback = cell.vjp(np.zeros((0, 3)), hx)
        assert h.shape == c.shape == (0, 5)
        dx, (dh, dc) = pullback((h, c))
        assert dx.shape == (0, 3) and dh.shape == dc.shape == (0, 5)
    assert not any(p.grad.any() for p in cell.parameters())


def test_cotangents_of_none_are_zeros(rng):
    cell = nn.LSTMCell(3, 5, seed=0)
    x, d = rng.standard_normal((2, 3)), rng.standard_normal((2, 5)).astype("f4")
    zero = np.zeros_like(d)
    for some, full in (
        ((d, None), (d, zero)),
        ((None, d), (zero, d)),
        ((None, None), (zero, zero)),
    ):
        results = []
        for cotangents in (some, full):
            cell.zero_grad()
            dx, (dh, dc) = cell.vjp(x)[1](cotangents)
            results.append((dx, dh, dc, *(p.grad for p in cell.parameters())))
        for one, two in zip(*results):
            assert np.array_equal(one, two)


def test_nothing_aliases_and_the_callers_writes_change_nothing(rng):
    cell = nn.LSTMCell(3, 5, seed=0)
    x, h, c, dh, dc = (rng.standard_normal((2, n)).astype("f4") for n in (3, 5, 5, 5, 5))
    results = []
    for spoil in (False, True):
        cell.zero_grad()
        (h_out, c_out), pullback = cell.vjp(x, (h.copy(), c.copy()))
        if spoil:
            h_out[...] = c_out[...] = np.nan
        dx, (dh_prev, dc_prev) = pullback((dh, dc))
        results.append((dx, dh_prev, dc_prev, *(p.grad for p in cell.parameters())))
    for one, two in zip(*results):
        assert np.array_equal(one, two)
    arrays = [*results[0], h_out, c_out]
    for number, one in enumerate(arrays):
        for other in (*arrays[:number], x, h, c, dh, dc):
            assert not np.shares_memory(one, other)


def test_a_parameter_put_in_place_of_another_is_used():
    # Twice in a row, so that the new one may get the memory, and the id, of one that was packed.
    cell, x, hx = nn.LSTMCell(3, 5, seed=0), np.ones((2, 3)), (np.ones((2, 5)), np.ones((2, 5)))
    for name in ("weight_hh", "bias_hh", "weight_ih"):
        shape = getattr(cell, name).shape
        for k in range(5):
            setattr(cell, name, nn.Parameter(np.full(shape, k, "f4")))
            cell(x, hx)
            setattr(cell, name, nn.Parameter(np.full(shape, -k, "f4")))
            setattr(cell, name, nn.Parameter(np.full(shape, 0.125, "f4")))
            fresh = nn.LSTMCell(3, 5)
            fresh.load_state_dict(cell.state_dict())
            assert np.array_equal(cell(x, hx)[0], fresh(x, hx)[0]), (name, k)


@pytest.mark.parametrize(
    ("x", "hx", "error", "message"),
    [
        (np.zeros((2, 4)), None, ValueError, "x: expected shape (B, 3) or (3,), got (2, 4)"),
        (np.zeros((1, 2, 3)), None, ValueError, "x: expected shape (B, 3) or (3,), got (1, 2, 3)"),
        (None, None, TypeError, "x: expected real numbers, got None"),
        (np.zeros((2, 3)), (np.zeros((2, 4)), np.zeros((2, 5))), ValueError, "h"),
        (np.zeros((2, 3)), (np.zeros((2, 5)), np.zeros((3, 5))), ValueError, "c"),
        (np.zeros((2, 3)), (np.zeros((2, 5)), None), TypeError, "c"),
        (np.zeros(3), (np.zeros((1, 5)), np.zeros(5)), ValueError, "h"),
        (np.zeros((2, 3)), np.zeros((2, 2, 5)), TypeError, "hx: expected a pair (h, c)"),
    ],
)
def test_arguments_are_refused_by_name(x, hx, error, message):
    cell = nn.LSTMCell(3, 5)
    start = re.escape(message) if ":" in message else f"{message}0?: expected "
    for method in (cell, cell.vjp):
        with pytest.raises(error, match=f"^{start}"):
            method(x, hx)


@pytest.mark.parametrize(
    ("cotangents", "error", "message"),
    [
        ((np.zeros((2, 4)), None), ValueError, r"dh: expected shape \(2, 5\), got \(2, 4\)"),
        ((None, np.zeros(5)), ValueError, r"dc: expected shape \(2, 5\), got \(5,\)"),
        ((None, "a"), TypeError, "dc: expected real numbers"),
        (np.zeros((2, 2, 5)), TypeError, r"dstate: expected a pair \(dh, dc\)"),
    ],
)
def test_a_refused_pullback_adds_nothing(cotangents, error, message):
    cell = nn.LSTMCell(3, 5)
    _, pullback = cell.vjp(np.zeros((2, 3)))
    with pytest.raises(error, match=f"^{message}"):
        pullback(cotangents)
    assert all(p.grad is None for p in cell.parameters())
    pullback((None, None))
    with pytest.raises(RuntimeError, match="called already"):
        pullback((None, None))


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("input_size", 0, ValueError),
        ("hidden_size", 2.0, TypeError),
        ("dtype", "i4", ValueError),
        ("seed", -1, ValueError),
    ],
)
def test_the_constructor_refuses_by_name(argument, value, error):
    with pytest.raises(error, match=f"^{argument}: expected"):
        nn.LSTMCell(**{"input_size": 3, "hidden_size": 5, argument: value})


@pytest.mark.parametrize("bias", [True, False])
def test_repr_names_and_shapes_are_torchs_and_copies_are_equal(bias):
    cell, twin = nn.LSTMCell(3, 5, bias, seed=0), torch.nn.LSTMCell(3, 5, bias)
    assert repr(cell) == repr(twin)
    expected = [(name, tuple(p.shape)) for name, p in twin.named_parameters()]
    assert [(name, p.shape) for name, p in cell.named_parameters()] == expected
    x = np.ones((2, 3))
    assert np.array_equal(copy.deepcopy(cell)(x)[0], cell(x)[0])
