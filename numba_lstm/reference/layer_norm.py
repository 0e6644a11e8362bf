"""Layer normalisation (Ba, Kiros & Hinton, 2016, "Layer Normalization") of each row.

::

    m = mean(z)    v = mean((z - m)²)    ẑ = (z - m) / √(v + ε)     (1)
    y = g ∘ ẑ                                                       (2)

The mean is over the row's N elements; ε is torch's. A bias is the caller's to add.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["EPSILON", "LayerNormSaved", "layer_norm_backward", "layer_norm_forward"]

Array = np.ndarray
EPSILON = 1e-5


class LayerNormSaved(NamedTuple):
    """What the backward pass needs."""

    normal: Array  # (B, N), ẑ
    scale: Array  # (B, 1), 1 / √(v + ε)
    gain: Array  # (N,)


def layer_norm_forward(
    z: Array, gain: Array, epsilon: float = EPSILON
) -> tuple[Array, LayerNormSaved]:
    """Normalise rows.

    Parameters
    ----------
    z : array, shape (B, N)
        May be complex: the square in (1) is that of an analytic function, without abs.
    gain : array, shape (N,)
    epsilon : float

    Returns
    -------
    y : array, shape (B, N)
    saved : LayerNormSaved
    """
    centred = z - z.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    normal = centred * scale  # (1)
    return gain * normal, LayerNormSaved(normal, scale, gain)  # (2)


def layer_norm_backward(saved: LayerNormSaved, dy: Array) -> tuple[Array, Array]:
    """Go back from dy (B, N) to dz (B, N) and dg (N,)."""
    normal, scale, gain = saved
    dgain = (dy * normal).sum(axis=0)  # from (2), summed over rows
    dnormal = dy * gain  # from (2)
    # From (1): ẑ has mean 0 and length √N whatever z is, so what would change either is lost.
    along = (dnormal * normal).mean(axis=1, keepdims=True)
    dz = scale * (dnormal - dnormal.mean(axis=1, keepdims=True) - normal * along)
    return dz, dgain
