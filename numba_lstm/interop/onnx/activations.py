"""The activation functions that ONNX's recurrent operators may name, in NumPy.

Equations are those of the operators' text, and so are defaults: "the same as of corresponding ONNX
operators". onnxruntime takes 0 for Affine and ThresholdedRelu instead. ScaledTanh has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit

__all__ = ["FUNCTIONS", "Activation", "activation", "apply"]


# A constant that a function has, but ONNX no default for.
NEEDED = float("nan")


class _Function(NamedTuple):
    """An activation function of (x, alpha, beta), and the defaults of those that it has."""

    name: str
    compute: Callable[[np.ndarray, float, float], np.ndarray]
    alpha: float | None = None
    beta: float | None = None


def _elu(x: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    # exp only where it is taken: elsewhere it may overflow.
    return np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))


_ALL = (
    _Function("Relu", lambda x, a, b: np.maximum(x, 0)),
    _Function("Tanh", lambda x, a, b: np.tanh(x)),
    _Function("Sigmoid", lambda x, a, b: expit(x)),
    _Function("Affine", lambda x, a, b: a * x + b, 1.0, 0.0),
    _Function("LeakyRelu", lambda x, a, b: np.where(x >= 0, x, a * x), 0.01),
    _Function("ThresholdedRelu", lambda x, a, b: np.where(x >= a, x, 0), 1.0),
    _Function("ScaledTanh", lambda x, a, b: a * np.tanh(b * x), NEEDED, NEEDED),
    _Function("HardSigmoid", lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
    _Function("Elu", _elu, 1.0),
    _Function("Softsign", lambda x, a, b: x / (1 + np.abs(x))),
    _Function("Softplus", lambda x, a, b: np.logaddexp(x, 0)),
)
# By name in lower case: onnxruntime takes any case, and files have any.
FUNCTIONS = {function.name.lower(): function for function in _ALL}


class Activation(NamedTuple):
    """A function by its ONNX name, and its constants; 0 where it has none."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0


def activation(
    label: str, name: str, alphas: Iterator[float], betas: Iterator[float]
) -> Activation:
    """Find an activation by its name in any case; take its constants, if it has any.

    Raises
    ------
    ValueError
        Naming the node and the attribute, where ONNX has no such function or a constant is absent.
    """
    function = FUNCTIONS.get(name.lower())
    if function is None:
        known = ", ".join(one.name for one in _ALL)
        raise ValueError(f"{label}: attribute activations: expected some of {known}, got {name!r}")
    alpha = 0.0 if function.alpha is None else float(next(alphas, function.alpha))
    beta = 0.0 if function.beta is None else float(next(betas, function.beta))
    for kind, value in (("alpha", alpha), ("beta", beta)):
        if math.isnan(value):
            raise ValueError(
                f"{label}: attribute activation_{kind}: expected a number for {function.name}, "
                "got none"
            )
    return Activation(function.name, alpha, beta)


def apply(activation: Activation, x: np.ndarray) -> np.ndarray:
    """Give the function's values, in x's dtype."""
    compute = FUNCTIONS[activation.name.lower()].compute
    return compute(x, activation.alpha, activation.beta).astype(x.dtype, copy=False)
