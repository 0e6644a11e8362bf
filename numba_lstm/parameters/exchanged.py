"""Checks of what a user put in a parameter's place: ``module.weight = Parameter(…)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .parameter import Parameter

__all__ = ["check_parameter", "check_parameters"]


def check_parameter(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype) -> Parameter:
    """Refuse what a user put in a parameter's place that the kernels cannot run on.

    Kernels are told the sizes of a module. An array of another shape would be read past its end.

    Raises
    ------
    TypeError
        If `value` is no Parameter.
    ValueError
        If it has another shape or dtype.
    """
    if not isinstance(value, Parameter):
        raise TypeError(
            f"{name}: expected a Parameter of shape {shape} of {dtype}, got {type(value).__name__}"
        )
    if value.shape != shape or value.dtype != dtype:
        raise ValueError(
            f"{name}: expected shape {shape} of {dtype}, got {value.shape} of {value.dtype}"
        )
    return value


def check_parameters(
    values: Mapping[str, Any], shapes: Sequence[tuple[int, ...] | None], dtype: np.dtype
) -> None:
    """Check a recurrent layer's, in the order of `weights.Weights`: weights, two biases, the rest.

    Parameters
    ----------
    values : mapping of str to Parameter or None
        By the names that messages begin with.
    shapes : sequence of tuple of int, or None for a parameter that there is not
        Not looked at for the biases: both may be None, or both have an item for each row of W_ih.
    dtype : numpy.dtype

    Raises
    ------
    TypeError, ValueError
        Naming the parameter.
    """
    biases = list(values)[2:4]
    given = [name for name in biases if values[name] is not None]
    if len(given) == 1:
        (missing,) = set(biases) - set(given)
        raise ValueError(f"{missing}: expected a Parameter as {given[0]} is one, got None")
    for (name, value), shape in zip(values.items(), shapes):
        if name in biases:
            rows = shapes[0]
            shape = None if value is None or rows is None else rows[:1]
        if shape is not None:
            check_parameter(name, value, shape, dtype)
        elif value is not None:
            raise ValueError(f"{name}: expected None in this module, got {value!r}")
