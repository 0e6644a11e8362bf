"""Losses: ``loss, gradient = losses.cross_entropy(logits, targets)``, with torch's definitions.

Each returns the mean as a float, summed in float64, and its gradient with respect to the first
argument. The gradient has that argument's shape and dtype, and a model's pullback takes it as it
is. With ``with_gradient=False`` it is None.

With ``sample_weight`` the mean is a weighted one: divided by the sum of the weights. What has the
weight 0 is not looked at, NaN included, and its gradient is zero.
"""

from __future__ import annotations

from .binary_cross_entropy import binary_cross_entropy_with_logits
from .cross_entropy import cross_entropy
from .ctc import ctc
from .huber import huber
from .masked import masked
from .mse import mse
from .quantile import quantile

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "ctc",
    "huber",
    "masked",
    "mse",
    "quantile",
]
