"""Functions that fill a parameter or an array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ...checks import generator, real_array, size
from ...parameters.parameter import Parameter
from ...quiet import without_errors
from ...typing import Array, Seed

__all__ = [
    "constant_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

P = TypeVar("P", Parameter, Array)


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
