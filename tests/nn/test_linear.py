"""nn.Linear: torch's numbers at odd sizes, true gradients, refusals by name."""

from __future__ import annotations

import re

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp
from lstm_tool import TOLERANCE

from numba_lstm import nn
from numba_lstm.reference.linear import linear_backward, linear_forward

torch = pytest.importorskip("torch")


def computed(module, x, dy):
    module.zero_grad()
    y, pullback = module.vjp(x)
    assert np.array_equal(y, module(x))
    found = {"y": y, "dx": pullback(dy)}
    return found | {name: p.grad for name, p in module.named_parameters()}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_size_equals_torch(rng, dtype):
    sizes = [*range(1, 71), 127, 128, 129]
    for number, (inputs, outputs) in enumerate(zip(rng.permutation(sizes), sizes)):
        module = nn.Linear(inputs, outputs, number % 5 != 0, dtype=dtype, seed=number)
        twin = torch.nn.Linear(
            int(inputs), outputs, number % 5 != 0, dtype=getattr(torch, module.dtype.name)
        )
        twin.load_state_dict({k: torch.from_numpy(v) for k, v in module.state_dict().items()})
        shape = [(number % 20 + 1,), (), (3, 2), (1 + number, 4), (257,)][number % 5]
        x = rng.standard_normal((*shape, inputs)).astype(dtype)
        dy = rng.standard_normal((*shape, outputs)).astype(dtype)
        found = computed(module, x, dy)
        x_torch = torch.from_numpy(x).requires_grad_()
        y = twin(x_torch)
        y.backward(torch.from_numpy(dy))
        expected = {"y": y.detach(), "dx": x_torch.grad}
        expected |= {name: p.grad for name, p in twin.named_parameters()}
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            note = f"{name} {shape} {inputs} {outputs}"
            assert found[name].dtype == dtype
            assert_close(found[name], value.numpy(), TOLERANCE[np.dtype(dtype)], note)


@pytest.mark.parametrize("sizes", [(3, 9), (9, 3)])  # the smaller side is packed for dW
def test_every_gradient_equals_differences_and_the_reference(rng, sizes):
    module = nn.Linear(*sizes, dtype="f8", seed=0)
    x, dy = rng.standard_normal((4, 2, sizes[0])), rng.standard_normal((4, 2, sizes[1]))
    check_vjp(module, x, rng=rng)
    found = computed(module, x, dy)
    weight, bias = module.weight.numpy(), module.bias.numpy()
    assert_close(found["y"], linear_forward(x, weight, bias), 1e-14)
    for name, expected in zip(("dx", "weight", "bias"), linear_backward(x, weight, dy)):
        assert_close(found[name], expected, 1e-14, name)


def test_gradients_add_up(rng):
    for sizes in ((3, 70), (70, 3), (64, 64)):
        module = nn.Linear(*sizes, dtype="f8", seed=0)
        x, dy = rng.standard_normal((5, sizes[0])), rng.standard_normal((5, sizes[1]))
        once = {k: v.copy() for k, v in computed(module, x, dy).items()}
        module.vjp(x)[1](dy)
        for name, p in module.named_parameters():
            assert np.array_equal(p.grad, 2 * once[name])


def test_no_rows_give_an_empty_result_and_zero_gradients():
    module = nn.Linear(3, 5, seed=0)
    found = computed(module, np.zeros((4, 0, 3)), np.zeros((4, 0, 5)))
    assert found["y"].shape == (4, 0, 5) and found["dx"].shape == (4, 0, 3)
    assert not found["weight"].any() and not found["bias"].any()
    assert found["weight"].shape == (5, 3)


def test_a_cotangent_of_none_is_zero_and_frozen_parameters_get_no_gradient():
    module = nn.Linear(3, 5, seed=0)
    module.bias.requires_grad = False
    assert not module.vjp(np.ones((2, 3)))[1](None).any()
    assert module.bias.grad is None and not module.weight.grad.any()


def test_packed_weights_are_never_stale(rng):
    module, x = nn.Linear(3, 5, seed=0), np.ones((2, 3), "f4")
    computed(module, x, np.ones((2, 5)))
    module.weight[...] = module.weight.numpy() * 2
    module.bias[1] = 7
    found = computed(module, x, np.ones((2, 5)))
    weight, bias = module.weight.numpy(), module.bias.numpy()
    assert_close(found["y"], x @ weight.T + bias, 1e-6)
    assert_close(found["dx"], np.ones((2, 5)) @ weight, 1e-6)


def test_results_alias_neither_the_arguments_nor_the_parameters(rng):
    module, x, dy = nn.Linear(1, 1, seed=0), np.ones((1, 1), "f4"), np.ones((1, 1), "f4")
    found = list(computed(module, x, dy).values())
    for number, one in enumerate(found):
        for other in (*found[:number], x, dy, module.weight.numpy(), module.bias.numpy()):
            assert not np.shares_memory(one, other)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((2, 4)), ValueError, "x: expected shape (…, 3), got (2, 4)"),
        (1.0, ValueError, "x: expected shape (…, 3), got ()"),
        (None, TypeError, "x: expected real numbers, got None"),
        (np.zeros((2, 3), complex), TypeError, "x: expected real numbers"),
    ],
)
def test_x_is_refused_by_name(x, error, message):
    module = nn.Linear(3, 5)
    for method in (module, module.vjp):
        with pytest.raises(error, match=re.escape(message)):
            method(x)


def test_a_refused_pullback_adds_nothing():
    module = nn.Linear(3, 5)
    _, pullback = module.vjp(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=re.escape("dy: expected shape (2, 5), got (2, 3)")):
        pullback(np.zeros((2, 3)))
    assert module.weight.grad is None
    pullback(np.zeros((2, 5)))
    with pytest.raises(RuntimeError, match="called already"):
        pullback(np.zeros((2, 5)))


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("in_features", 0, ValueError),
        ("out_features", -2, ValueError),
        ("out_features", 1.0, TypeError),
        ("dtype", "f2", ValueError),
        ("seed", "a", TypeError),
    ],
)
def test_the_constructor_refuses_by_name(argument, value, error):
    with pytest.raises(error, match=f"^{argument}: expected"):
        nn.Linear(**{"in_features": 3, "out_features": 5, argument: value})


def test_repr_and_initial_values_are_torchs():
    for bias in (True, False):
        assert repr(nn.Linear(3, 5, bias)) == repr(torch.nn.Linear(3, 5, bias))
    module = nn.Linear(25, 400, seed=0)
    for _, p in module.named_parameters():
        assert 0.19 < np.abs(p.numpy()).max() <= 0.2


@pytest.mark.parametrize("name, value, error, message", [
    ("weight", nn.Parameter(np.ones((24, 9), "f4")), ValueError,
     r"expected shape \(24, 8\) of float32, got \(24, 9\) of float32"),
    ("weight", nn.Parameter(np.ones((25, 8), "f4")), ValueError, "expected shape"),
    ("weight", nn.Parameter(np.ones((24, 8))), ValueError, ".* of float64$"),
    ("weight", None, TypeError, "expected a Parameter .* got NoneType"),
    ("bias", nn.Parameter(np.ones(23, "f4")), ValueError, r"expected shape \(24,\)"),
    ("bias", nn.Parameter(np.ones(24)), ValueError, ".* of float64$"),
])  # fmt: skip
def test_an_exchanged_parameter_that_does_not_fit_is_refused_by_name(name, value, error, message):
    module = nn.Linear(8, 24, seed=0)
    x = np.ones((2, 8), "f4")
    module(x)
    setattr(module, name, value)
    for call in (module, module.vjp):
        with pytest.raises(error, match=f"^{name}: {message}"):
            call(x)


def test_a_pullback_is_that_of_the_parameters_that_ran():
    module = nn.Linear(3, 4, seed=0)
    weight, bias = module.weight, module.bias
    x, dy = np.ones((2, 3), "f4"), np.ones((2, 4), "f4")
    dx = module.vjp(x)[1](dy)
    module.zero_grad()
    _, pullback = module.vjp(x)
    module.weight, module.bias = nn.Parameter(np.zeros((1, 1))), None
    assert np.array_equal(pullback(dy), dx)
    assert (weight.grad == 2).all() and (bias.grad == 2).all() and module.weight.grad is None
