"""Losses: ``loss, gradient = losses.cross_entropy(logits, targets)``, with torch's definitions.

Each returns the mean as a float, summed in float64, and its gradient with respect to the first
argument. The gradient has that argument's shape and dtype, and a model's pullback takes it as it
is. With ``with_gradient=False`` it is None.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, overload

import numpy as np

from . import checks, quiet
from .threads import threads_for
from .typing import Array, ArrayLike

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "mse"]

Result = tuple[float, Array | None]

# Flops that an item counts for when the number of threads is chosen; roughly its exp.
_WORK = 30


@overload
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    with_gradient: bool,
) -> Result: ...


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    ignore_index: int = -100,
    *,
    with_gradient: bool = True,
) -> Result:
    """Mean of -log softmax(logits)[target] over the targets that are not ignored.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Unnormalised log probabilities. float64 stays float64; other real numbers become float32. An
        infinite or NaN logit gives what torch gives: -inf is a class ruled out, +inf and NaN make
        the loss NaN.
    targets : array_like of int, shape (...)
        Class indices, each 0 ≤ target < V or `ignore_index`.
    ignore_index : int
        Targets of this value do not count, and their gradients are zero.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
        In nats.
    gradient : numpy.ndarray, shape (..., V), or None
        (softmax(logits) - onehot(target)) / count, in the logits' dtype.

    Raises
    ------
    TypeError
        If `logits` are not real numbers, or `targets` or `ignore_index` not integers.
    ValueError
        If the shapes do not fit, a target is out of range, or no target counts: the mean of
        nothing would be NaN.

    Examples
    --------
    >>> loss, gradient = cross_entropy([[0.0, 0.0]], [1])
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [[0.5, -0.5]])
    """
    x = _floats("logits", logits)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"logits: expected shape (..., V) with V at least 1, got {x.shape}")
    classes = x.shape[-1]
    flat_targets, count = _class_targets(targets, x.shape[:-1], classes, ignore_index)
    kernels, nt = _kernels(), threads_for(x.size * _WORK)
    gradient = np.empty(x.shape if with_gradient else (nt, classes), x.dtype)
    row_losses = np.empty(flat_targets.size, np.float64)
    kernels.cross_entropy(
        nt,
        x.reshape(-1, classes),
        flat_targets,
        1.0 / count,
        bool(with_gradient),
        gradient.reshape(-1, classes),
        row_losses,
        kernels.ones[x.dtype],
    )
    return quiet.total(row_losses) / count, gradient if with_gradient else None


@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    with_gradient: bool,
) -> Result: ...


def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    with_gradient: bool = True,
) -> Result:
    """Mean of (prediction - target)².

    Parameters
    ----------
    prediction : array_like
        float64 stays float64; other real numbers become float32.
    target : array_like, of the shape of `prediction`
        Cast to its dtype. There is no broadcasting.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
    gradient : numpy.ndarray or None
        2 (prediction - target) / size, in the prediction's shape and dtype.

    Raises
    ------
    TypeError
        If an argument is not real numbers.
    ValueError
        If the shapes differ, or there is nothing to average.

    Examples
    --------
    >>> loss, gradient = mse([1.0, 2.0], [0.0, 2.0])
    >>> loss, gradient.tolist()
    (0.5, [1.0, 0.0])
    """
    return _of_pairs(_kernels().mse, 2.0, "prediction", prediction, "target", target, with_gradient)


@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    with_gradient: Literal[True] = True,
) -> tuple[float, Array]: ...


@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    with_gradient: Literal[False],
) -> tuple[float, None]: ...


@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    with_gradient: bool,
) -> Result: ...


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    with_gradient: bool = True,
) -> Result:
    """Mean of -t log σ(x) - (1 - t) log(1 - σ(x)), in a form that overflows for no logit x.

    Parameters
    ----------
    logits : array_like
        float64 stays float64; other real numbers become float32.
    targets : array_like, of the shape of `logits`
        Probabilities, 0 and 1 included. Cast to the logits' dtype. There is no broadcasting.
    with_gradient : bool
        Whether the gradient is wanted.

    Returns
    -------
    loss : float
    gradient : numpy.ndarray or None
        (σ(logits) - targets) / size, in the logits' shape and dtype.

    Raises
    ------
    TypeError
        If an argument is not real numbers.
    ValueError
        If the shapes differ, or there is nothing to average.

    Examples
    --------
    >>> loss, gradient = binary_cross_entropy_with_logits([0.0], [1.0])
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [-0.5])
    """
    run = _kernels().binary_cross_entropy
    return _of_pairs(run, 1.0, "logits", logits, "targets", targets, with_gradient)


def _of_pairs(
    run: Any,
    slope: float,
    name: str,
    value: Any,
    target_name: str,
    target: Any,
    with_gradient: bool,
) -> Result:
    """Run a loss of pairs over flat arrays; `slope` is a factor of its gradient."""
    kernels = _kernels()
    x = _floats(name, value)
    t = checks.as_float(target_name, target, x.dtype, shape=x.shape)
    if x.size == 0:
        raise ValueError(f"{name}: expected at least one value to average, got shape {x.shape}")
    gradient = np.empty(x.shape, x.dtype)
    block_losses = np.empty(-(-x.size // kernels.BLOCK), np.float64)
    nt = threads_for(x.size * _WORK)
    factor = slope * (1.0 / x.size)
    run(
        nt, x.reshape(-1), t.reshape(-1), factor, gradient.reshape(-1), block_losses,
        kernels.ones[x.dtype],
    )  # fmt: skip
    return quiet.total(block_losses) / x.size, gradient if with_gradient else None


@functools.cache
def _kernels() -> Any:
    """`kernels.losses`, which imports numba: only the first call may do that."""
    from .kernels import losses

    return losses


def _floats(name: str, value: Any) -> np.ndarray:
    """A C-contiguous array: float64 if `value` is a float of 8 bytes or more, else float32."""
    array = value if type(value) is np.ndarray else checks.real_array(name, value)
    wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    # `value`, not `array`: a masked array is refused, and its plain array would not be.
    return checks.as_float(name, value, np.dtype(np.float64 if wide else np.float32))


def _class_targets(
    targets: Any, shape: tuple[int, ...], classes: int, ignore_index: int
) -> tuple[np.ndarray, int]:
    """(targets, count): the flat targets, -1 where they are ignored, and how many are not."""
    ignored = _equal(targets, ignore_index)
    if ignored is None:
        tokens = checks.as_tokens("targets", targets, classes)
        count = tokens.size
    else:
        tokens = checks.as_tokens("targets", np.where(ignored, 0, targets), classes)
        tokens[ignored] = -1
        count = tokens.size - int(np.count_nonzero(ignored))
    if tokens.shape != shape:
        raise ValueError(
            f"targets: expected shape {shape} to fit the logits' {(*shape, classes)}, "
            f"got {tokens.shape}"
        )
    if count == 0:
        what = "none" if tokens.size == 0 else f"all are ignore_index ({ignore_index})"
        raise ValueError(f"targets: expected at least one target that counts, got {what}")
    return tokens.reshape(-1), count


def _equal(targets: Any, ignore_index: int) -> np.ndarray | None:
    """A mask of the targets to ignore, or None if there are none."""
    if isinstance(ignore_index, (bool, np.bool_)) or not isinstance(
        ignore_index, (int, np.integer)
    ):
        raise TypeError(f"ignore_index: expected an integer, got {ignore_index!r}")
    array = checks.real_array("targets", targets)
    if array.dtype.kind not in "iu":
        return None  # `as_tokens` refuses it with its own message
    ignored = array == int(ignore_index)
    return ignored if ignored.any() else None
