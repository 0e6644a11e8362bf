"""What losses do to their arguments before anything else."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import checks
from ..typing import Array

__all__ = ["WORK", "Result", "as_weights", "floats", "kernels", "pair", "sample_weights"]

Result = tuple[float, Array | None]

# Flops that an item counts for when the number of threads is chosen; roughly its exp.
WORK = 30


@functools.cache
def kernels() -> Any:
    """`kernels.losses`, which imports numba: only the first call may do that."""
    from ..kernels import losses

    return losses


def floats(name: str, value: Any) -> np.ndarray:
    """A C-contiguous array: float64 if `value` is a float of 8 bytes or more, else float32."""
    array = value if type(value) is np.ndarray else checks.real_array(name, value)
    wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    # `value`, not `array`: a masked array is refused, and its plain array would not be.
    return checks.as_float(name, value, np.dtype(np.float64 if wide else np.float32))


def pair(name: str, value: Any, target_name: str, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets of one shape and dtype, at least one of them."""
    x = floats(name, value)
    t = checks.as_float(target_name, target, x.dtype, shape=x.shape)
    if x.size == 0:
        raise ValueError(f"{name}: expected at least one value to average, got shape {x.shape}")
    return x, t


def as_weights(name: str, value: Any) -> np.ndarray:
    """Weights in float64: finite, none below 0.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    w = checks.as_float(name, value, np.dtype(np.float64))
    wrong = ~((w >= 0) & (w < np.inf))  # NaN is wrong, too
    if wrong.any():
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), w.shape))
        raise ValueError(
            f"{name}: expected finite numbers of at least 0, got {w[place]} at index {place}"
        )
    return w


def sample_weights(value: Any, shape: tuple[int, ...], whole: bool = True) -> np.ndarray:
    """The argument sample_weight, of `shape`.

    Parameters
    ----------
    value : array_like
    shape : tuple of int
        The targets'.
    whole : bool
        Whether it must have this shape. Else it may lack the last axis: what stands in it, the
        outputs of one sample or step, then shares a weight.

    Raises
    ------
    TypeError, ValueError
        Naming sample_weight: another shape, a negative weight, one that is not finite, or none
        above 0, which would make the mean that of nothing.
    """
    w = as_weights("sample_weight", value)
    if w.shape != shape and (whole or not shape or w.shape != shape[:-1]):
        other = "" if whole or not shape else f" or {shape[:-1]}"
        raise ValueError(f"sample_weight: expected shape {shape}{other}, got {w.shape}")
    if not w.any():
        raise ValueError("sample_weight: expected at least one weight above 0, got none")
    return w if w.shape == shape else np.broadcast_to(w[..., None], shape)
