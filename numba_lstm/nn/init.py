"""Initial values: torch's functions by torch's names, and torch's defaults for each layer.

Every function writes in place and returns what it was given: a Parameter, or a writeable array of
float32 or float64 such as an initial state. ``seed=`` is None, an int or a Generator. Numbers are
drawn in float64 and then cast, so one seed gives the same values in both dtypes.

The weights of a recurrent layer are several matrices above each other, one a gate; ``gates=4`` for
an LSTM initialises each on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ..checks import generator, real_array, size
from ..parameters.parameter import Parameter
from ..quiet import without_errors
from ..typing import Array, Seed
from .module import Module

__all__ = [
    "constant_",
    "forget_gate_bias_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "reset_embedding_",
    "reset_linear_",
    "reset_recurrent_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

P = TypeVar("P", Parameter, Array)
M = TypeVar("M", bound=Module)


def uniform_(tensor: P, a: float = 0.0, b: float = 1.0, *, seed: Seed = None) -> P:
    """Draw from the uniform distribution between `a` and `b`.

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    a, b : float
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    """
    rng = generator(seed)
    return _write(tensor, lambda shape: rng.uniform(a, b, shape))


def normal_(tensor: P, mean: float = 0.0, std: float = 1.0, *, seed: Seed = None) -> P:
    """Draw from the normal distribution.

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    mean, std : float
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    """
    rng = generator(seed)
    return _write(tensor, lambda shape: rng.normal(mean, std, shape))


def constant_(tensor: P, val: float) -> P:
    """Set every element to `val`.

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    val : float

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    """
    return _write(tensor, lambda shape: np.full(shape, val, np.float64))


def zeros_(tensor: P) -> P:
    """Set every element to 0.

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    """
    return constant_(tensor, 0.0)


def ones_(tensor: P) -> P:
    """Set every element to 1.

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    """
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: P, gain: float = 1.0, *, gates: int = 1, seed: Seed = None) -> P:
    """Draw uniformly within ±gain·√(6 / (fan_in + fan_out)) (Glorot & Bengio, 2010).

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    gain : float
    gates : int
        How many matrices stand above each other, each initialised on its own.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    ValueError
        If there are fewer than two dimensions, or the rows do not divide into `gates`.
    """
    fan_in, fan_out = _fans(tensor, gates)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, seed=seed)


def xavier_normal_(tensor: P, gain: float = 1.0, *, gates: int = 1, seed: Seed = None) -> P:
    """Draw normally with the deviation gain·√(2 / (fan_in + fan_out)) (Glorot & Bengio, 2010).

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    gain : float
    gates : int
        How many matrices stand above each other, each initialised on its own.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    ValueError
        If there are fewer than two dimensions, or the rows do not divide into `gates`.
    """
    fan_in, fan_out = _fans(tensor, gates)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), seed=seed)


def kaiming_uniform_(tensor: P, a: float = 0.0, *, seed: Seed = None) -> P:
    """Draw uniformly within ±√(6 / ((1 + a²) fan_in)) (He et al., 2015).

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    a : float
        The slope of the leaky ReLU that follows; 0 for a ReLU.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    ValueError
        If there are fewer than two dimensions.
    """
    fan_in, _ = _fans(tensor, 1)
    bound = math.sqrt(6.0 / ((1.0 + a * a) * fan_in))
    return uniform_(tensor, -bound, bound, seed=seed)


def orthogonal_(tensor: P, gain: float = 1.0, *, gates: int = 1, seed: Seed = None) -> P:
    """Make rows or columns, whichever are fewer, orthogonal and of length `gain`.

    The matrix is Q of the QR decomposition of a normal one, its signs chosen so that every
    orthogonal matrix is equally likely (Saxe et al., 2014). Further dimensions are taken together
    with the second.

    Parameters
    ----------
    tensor : Parameter or numpy.ndarray
        Written in place: a Parameter, or a writeable array of float32 or float64.
    gain : float
    gates : int
        How many blocks of rows are orthogonal, each on its own. For an LSTM:
        ``orthogonal_(lstm.weight_hh_l0, gates=4)``.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Parameter or numpy.ndarray
        `tensor`.

    Raises
    ------
    TypeError
        If `tensor` is neither.
    ValueError
        If there are fewer than two dimensions, or the rows do not divide into `gates`.
    """
    _fans(tensor, gates)  # for its checks
    rng = generator(seed)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        rows, columns = shape[0] // gates, math.prod(shape[1:])
        blocks = [_orthogonal(rng, rows, columns) for _ in range(gates)]
        return gain * np.concatenate(blocks).reshape(shape)

    return _write(tensor, draw)


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


def forget_gate_bias_(module: M, value: float = 1.0) -> M:
    """Let every LSTM and LSTMCell in a tree start by remembering (Jozefowicz et al., 2015).

    The forget gate sees b_ih + b_hh: its part of `bias_ih` becomes `value` and that of `bias_hh`
    zero. The other gates' biases stay as they are.

    Parameters
    ----------
    module : Module
    value : float
        The bias of all forget gates.

    Returns
    -------
    Module
        `module`.

    Raises
    ------
    ValueError
        If there is no LSTM with biases in it.
    """
    found = False
    for part in module.modules():
        for name, bias in vars(part).items():
            if isinstance(bias, Parameter) and _is_lstm(part, name, bias):
                hidden = bias.size // 4
                bias[hidden : 2 * hidden] = value if name.startswith("bias_ih") else 0.0
                found = True
    if not found:
        raise ValueError(f"module: expected an LSTM with biases, got {type(module).__name__}")
    return module


def _is_lstm(module: Module, name: str, bias: Parameter) -> bool:
    """Whether a bias has the four gates of an LSTM: a GRU's has three, a Linear's none."""
    if not name.startswith("bias_"):
        return False
    hidden = _own_size(getattr(module, "hidden_size", None), name)
    return isinstance(hidden, int) and bias.shape == (4 * hidden,)


def _own_size(hidden_size: Any, name: str) -> Any:
    """Find the hidden size of the layer that a parameter belongs to: ``weight_hh_l1_reverse``."""
    if not isinstance(hidden_size, (list, tuple)):
        return hidden_size
    layer = name.removesuffix("_reverse").rpartition("_l")[2]
    return hidden_size[int(layer)] if layer.isdigit() else None


def reset_recurrent_(module: M, hidden_size: int | Sequence[int], *, seed: Seed = None) -> M:
    """Draw all parameters of recurrent layers as torch does: uniformly within ±1/√H.

    Of a layer normalisation the gains become 1 and the bias 0, as in torch's LayerNorm; learnt
    initial states become 0.

    Parameters
    ----------
    module : Module
        A stack of recurrent layers, or a cell.
    hidden_size : int or sequence of int
        H, or that of each layer.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Module
        `module`.
    """
    rng = generator(seed)
    for name, parameter in module.named_parameters():
        if name.startswith(("weight_ln_", "bias_ln_", "h_0_", "c_0_")):
            constant_(parameter, float(name.startswith("weight")))
            continue
        bound = 1.0 / math.sqrt(_own_size(hidden_size, name))
        uniform_(parameter, -bound, bound, seed=rng)
    return module


def reset_linear_(module: Any, *, seed: Seed = None) -> Any:
    """Draw the parameters of a linear layer as torch does: uniformly within ±1/√I.

    Parameters
    ----------
    module : Linear, or a module like it
        With `weight` (O, I) and `bias` (O,), which may be None.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Module
        `module`.
    """
    rng = generator(seed)
    kaiming_uniform_(module.weight, math.sqrt(5.0), seed=rng)
    if module.bias is not None:
        bound = 1.0 / math.sqrt(module.weight.shape[1])
        uniform_(module.bias, -bound, bound, seed=rng)
    return module


def reset_embedding_(module: Any, *, seed: Seed = None) -> Any:
    """Draw the rows of an embedding from a standard normal distribution.

    Parameters
    ----------
    module : Embedding, or a module like it
        With `weight`, and `padding_idx`, whose row becomes zero, or None.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Module
        `module`.
    """
    normal_(module.weight, seed=seed)
    if module.padding_idx is not None:
        module.weight[module.padding_idx] = 0.0
    return module


@without_errors
def _write(tensor: P, draw: Callable[[tuple[int, ...]], np.ndarray]) -> P:
    if isinstance(tensor, Parameter):
        tensor[...] = draw(tensor.shape)
        return tensor
    floats = (np.dtype(np.float32), np.dtype(np.float64))
    if not isinstance(tensor, np.ndarray) or tensor.dtype not in floats:
        came = getattr(tensor, "dtype", type(tensor).__name__)
        raise TypeError(f"tensor: expected a Parameter or an array of floats, got {came}")
    tensor[...] = draw(tensor.shape)
    return tensor


def _fans(tensor: Any, gates: int) -> tuple[int, int]:
    """Inputs and outputs of each element, as torch counts them; outputs of one gate."""
    gates = size("gates", gates)
    shape = tensor.shape if isinstance(tensor, Parameter) else real_array("tensor", tensor).shape
    if len(shape) < 2:
        raise ValueError(f"tensor: expected at least 2 dimensions, got {len(shape)}")
    if shape[0] % gates:
        raise ValueError(f"tensor: expected rows that divide into {gates} gates, got {shape[0]}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] // gates * field
