"""Every activation function of ONNX's recurrent operators is its equation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numba_lstm.interop.onnx.activations import FUNCTIONS, Activation, apply

EQUATIONS = {
    "Relu": lambda x, a, b: max(x, 0),
    "Tanh": lambda x, a, b: math.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + math.exp(-x)),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: x if x >= 0 else a * x,
    "ThresholdedRelu": lambda x, a, b: x if x >= a else 0,
    "ScaledTanh": lambda x, a, b: a * math.tanh(b * x),
    "HardSigmoid": lambda x, a, b: min(max(a * x + b, 0), 1),
    "Elu": lambda x, a, b: x if x >= 0 else a * (math.exp(x) - 1),
    "Softsign": lambda x, a, b: x / (1 + abs(x)),
    "Softplus": lambda x, a, b: math.log(1 + math.exp(x)),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_an_activation_is_its_equation(name):
    x = np.linspace(-4, 4, 33)
    wanted = [EQUATIONS[name](value, 0.7, 0.3) for value in x]
    assert np.allclose(apply(Activation(name, 0.7, 0.3), x), wanted, rtol=1e-12, atol=1e-15)
    assert apply(Activation(name, 0.7, 0.3), x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", EQUATIONS)
def test_large_arguments_give_no_nan(name):
    assert not np.isnan(apply(Activation(name, 0.7, 0.3), np.float32([-1e30, 1e30]))).any()


def test_there_is_each_of_onnxs():
    assert set(FUNCTIONS) == {name.lower() for name in EQUATIONS}
