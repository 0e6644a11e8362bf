"""The oracle itself: its gradients by complex step, its numbers beside torch's."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference import lstm as ref


def layer_arguments(rng, T, B, I, H, bias=True):
    shapes = [(T, B, I), (B, H), (B, H), (4 * H, I), (4 * H, H)] + [(4 * H,)] * (2 * bias)
    return [rng.standard_normal(shape) * 0.7 for shape in shapes]


def stack_parameters(rng, I, H, layers, directions, bias=True):
    parameters = {}
    for layer in range(layers):
        width = I if layer == 0 else directions * H
        for suffix in ["", "_reverse"][:directions]:
            parameters[f"weight_ih_l{layer}{suffix}"] = rng.standard_normal((4 * H, width)) * 0.5
            parameters[f"weight_hh_l{layer}{suffix}"] = rng.standard_normal((4 * H, H)) * 0.5
            if bias:
                parameters[f"bias_ih_l{layer}{suffix}"] = rng.standard_normal(4 * H)
                parameters[f"bias_hh_l{layer}{suffix}"] = rng.standard_normal(4 * H)
    return parameters


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("T, B, I, H", [(1, 1, 1, 1), (1, 3, 2, 5), (4, 2, 3, 3), (7, 1, 5, 2)])
def test_layer_gradients_equal_complex_step(rng, T, B, I, H, bias):
    arguments = layer_arguments(rng, T, B, I, H, bias)
    dy, dhn, dcn = (rng.standard_normal(s) for s in [(T, B, H), (B, H), (B, H)])
    *_, saved = ref.lstm_forward(*arguments)
    found = ref.lstm_backward(saved, dy, dhn, dcn)
    for k, argument in enumerate(arguments):

        def loss(moved, k=k):
            y, hn, cn, _ = ref.lstm_forward(*arguments[:k], moved, *arguments[k + 1 :])
            return (y * dy).sum() + (hn * dhn).sum() + (cn * dcn).sum()

        assert_close(found[k], complex_gradient(loss, argument), 1e-12, found._fields[k])


def test_cotangents_left_out_mean_zero(rng):
    *_, saved = ref.lstm_forward(*layer_arguments(rng, 3, 2, 4, 5))
    dy, zero = rng.standard_normal((3, 2, 5)), np.zeros((2, 5))
    for short, full in zip(ref.lstm_backward(saved, dy), ref.lstm_backward(saved, dy, zero, zero)):
        assert np.array_equal(short, full)


@pytest.mark.parametrize(
    "layers, directions, bias", [(1, 2, True), (2, 1, True), (3, 2, True), (2, 2, False)]
)
def test_stack_gradients_with_dropout_masks_equal_complex_step(rng, layers, directions, bias):
    T, B, I, H = 3, 2, 2, 3
    parameters = stack_parameters(rng, I, H, layers, directions, bias)
    x = rng.standard_normal((T, B, I))
    h0, c0 = rng.standard_normal((2, layers * directions, B, H))
    masks = [rng.integers(0, 2, (T, B, directions * H)) / 0.5 for _ in range(layers - 1)]
    dy = rng.standard_normal((T, B, directions * H))
    dhn, dcn = rng.standard_normal((2, *h0.shape))

    def loss(x=x, h0=h0, c0=c0, **changed):
        y, hn, cn, _ = ref.lstm_stack_forward(x, h0, c0, parameters | changed, masks)
        return (y * dy).sum() + (hn * dhn).sum() + (cn * dcn).sum()

    *_, saved = ref.lstm_stack_forward(x, h0, c0, parameters, masks)
    found = ref.lstm_stack_backward(saved, dy, dhn, dcn)
    assert list(found.parameters) == list(parameters)
    wanted = {"x": (x, found.dx), "h0": (h0, found.dh0), "c0": (c0, found.dc0)}
    wanted |= {name: (parameters[name], found.parameters[name]) for name in parameters}
    for name, (value, gradient) in wanted.items():
        numeric = complex_gradient(lambda moved, name=name: loss(**{name: moved}), value)
        assert_close(gradient, numeric, 1e-12, name)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers, directions", [(1, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("T, B, I, H", [(1, 1, 1, 1), (9, 3, 7, 13), (33, 5, 1, 17)])
def test_stack_equals_torch(rng, T, B, I, H, layers, directions, bias):
    torch = pytest.importorskip("torch")
    parameters = stack_parameters(rng, I, H, layers, directions, bias)
    theirs = torch.nn.LSTM(
        I, H, layers, bias=bias, bidirectional=directions == 2, dtype=torch.float64
    )
    theirs.load_state_dict({name: torch.tensor(value) for name, value in parameters.items()})
    x = rng.standard_normal((T, B, I))
    states = rng.standard_normal((2, layers * directions, B, H))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *states)]
    y, (hn, cn) = theirs(tensors[0], tuple(tensors[1:]))
    dy = rng.standard_normal((T, B, directions * H))
    dhn, dcn = rng.standard_normal(states.shape)
    torch.autograd.backward([y, hn, cn], [torch.tensor(a) for a in (dy, dhn, dcn)])

    *outputs, saved = ref.lstm_stack_forward(x, *states, parameters)
    for name, ours, tensor in zip(("y", "hn", "cn"), outputs, (y, hn, cn)):
        assert_close(ours, tensor.detach().numpy(), 1e-12, name)
    back = ref.lstm_stack_backward(saved, dy, dhn, dcn)
    for name, ours, tensor in zip(("dx", "dh0", "dc0"), back[:3], tensors):
        assert_close(ours, tensor.grad.numpy(), 1e-11, name)
    for name, tensor in theirs.named_parameters():
        assert_close(back.parameters[name], tensor.grad.numpy(), 1e-11, name)


def test_extreme_gates_stay_finite():
    z = np.array([-1e308, -800.0, 0.0, 800.0, 1e308])
    assert np.array_equal(ref.sigmoid(z), [0.0, 0.0, 0.5, 1.0, 1.0])


def test_forward_writes_to_no_argument(rng):
    arguments = layer_arguments(rng, 3, 2, 4, 5)
    for argument in arguments:
        argument.flags.writeable = False
    y, hn, _, _ = ref.lstm_forward(*arguments)
    assert np.array_equal(y[-1], hn)
    assert not np.shares_memory(y, hn)
