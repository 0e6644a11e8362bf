"""The norm of all gradients together, and clipping by it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable

import numpy as np

from ..parameters.parameter import Parameter
from ..quiet import without_errors
from .tables import address, threads_of, with_gradients

__all__ = ["clip_grad_norm_", "clip_scale", "grad_norm"]


def grad_norm(parameters: Parameter | Iterable[Parameter]) -> float:
    """Return the 2-norm of all gradients together, as if they were one vector.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Those without a gradient and those that are frozen do not count; one that is listed twice
        counts once.

    Returns
    -------
    float
        Summed in float64, in an order that does not depend on the number of threads. 0 if no
        parameter has a gradient.

    Raises
    ------
    TypeError
        If `parameters` is something else.
    """
    return _norm(with_gradients(parameters))


def clip_scale(norm: float, max_norm: float) -> float:
    """Return the factor that clips gradients of norm `norm` at `max_norm`.

    The optimizer multiplies the gradients by it as it reads them, which saves a pass over them::

        norm = optim.grad_norm(parameters)
        optimizer.step(grad_scale=optim.clip_scale(norm, max_norm))

    Parameters
    ----------
    norm : float
        From `grad_norm`.
    max_norm : float
        At least 0; infinity clips nothing.

    Returns
    -------
    float
        min(1, max_norm / (norm + 1e-6)); NaN where `norm` is NaN.

    Raises
    ------
    TypeError
        If `max_norm` is not a real number.
    ValueError
        If it is negative or NaN.
    """
    if isinstance(max_norm, (bool, np.bool_)) or not isinstance(max_norm, numbers.Real):
        raise TypeError(f"max_norm: expected a number, got {type(max_norm).__name__}")
    if not max_norm >= 0:
        raise ValueError(f"max_norm: expected a number of at least 0, got {max_norm}")
    factor = float(max_norm) / (float(norm) + 1e-6)
    return 1.0 if factor > 1.0 else factor  # not min(): min(1.0, nan) is 1.0


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    *,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients in place so that their norm together is at most `max_norm`.

    As ``torch.nn.utils.clip_grad_norm_`` does it: by min(1, max_norm / (norm + 1e-6)).

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Those without a gradient and those that are frozen do not count; one that is listed twice
        counts once.
    max_norm : float
        At least 0; infinity clips nothing.
    error_if_nonfinite : bool
        Raise, and change nothing, where the norm is infinite or NaN. Otherwise an infinite norm
        makes gradients 0, infinite ones NaN, and a NaN norm makes all of them NaN.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If `max_norm` is negative or NaN.
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is set.

    See Also
    --------
    clip_scale : clipping within the optimizer's own pass.
    """
    gradients = with_gradients(parameters)
    norm = _norm(gradients)
    factor = clip_scale(norm, max_norm)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"parameters: expected gradients of finite norm, got {norm}; "
            "error_if_nonfinite=False scales them anyway"
        )
    if factor != 1.0:
        _scale(gradients, factor)
    return norm


def _table(arrays: list[np.ndarray]) -> np.ndarray:
    return np.array([(g.size, address(g)) for g in arrays], np.int64)


@without_errors
def _norm(gradients: dict[np.dtype, list[np.ndarray]]) -> float:
    from ..kernels.optim import BLOCK, squared_norms

    total = 0.0
    for dtype, arrays in gradients.items():
        sums = np.empty(sum(-(-g.size // BLOCK) for g in arrays), np.float64)
        table = _table(arrays)
        squared_norms(threads_of(table, 2), table, sums, np.empty(0, dtype))
        total += float(sums.sum())
    return math.sqrt(total)


def _scale(gradients: dict[np.dtype, list[np.ndarray]], factor: float) -> None:
    from ..kernels.optim import scale

    for dtype, arrays in gradients.items():
        table = _table(arrays)
        scale(threads_of(table, 2), table, factor, np.empty(0, dtype))
