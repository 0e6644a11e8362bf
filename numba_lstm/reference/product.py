"""The product of a cell: what its input, or its state, adds to the gates' pre-activations.

For rows R of the weights, with ``kind`` "ih" for the input and "hh" for the state::

    z = v W[R]ᵀ + b[R]                          plain               (1)
    z = LN(v W[R]ᵀ; g[R]) + b[R]                layer-normalised    (2)

W is ``weight_ih``, b ``bias_ih`` where there is one; (2) holds where there is a gain
``weight_ln_ih``, and the normalisation's mean is over the rows R: the bias stands for the β of
Ba et al. (2016), which has the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .layer_norm import LayerNormSaved, layer_norm_backward, layer_norm_forward

__all__ = ["ProductSaved", "product_backward", "product_forward"]

Array = np.ndarray
ALL = slice(None)


class ProductSaved(NamedTuple):
    """What the backward pass needs."""

    v: Array  # (B, K)
    norm: LayerNormSaved | None
    rows: slice


def product_forward(
    p: Mapping[str, Array], kind: str, v: Array, rows: slice = ALL
) -> tuple[Array, ProductSaved]:
    """Multiply.

    Parameters
    ----------
    p : mapping of str to array
        ``weight_{kind} (N, K)``, and perhaps ``bias_{kind} (N,)`` and ``weight_ln_{kind} (N,)``.
    kind : str, "ih" or "hh"
    v : array, shape (B, K)
    rows : slice
        Of the N rows of the weights: which gates.

    Returns
    -------
    z : array, shape (B, number of rows)
    saved : ProductSaved
    """
    z = v @ p[f"weight_{kind}"][rows].T
    norm = None
    if f"weight_ln_{kind}" in p:
        z, norm = layer_norm_forward(z, p[f"weight_ln_{kind}"][rows])
    if f"bias_{kind}" in p:
        z = z + p[f"bias_{kind}"][rows]
    return z, ProductSaved(v, norm, rows)


def product_backward(
    p: Mapping[str, Array], kind: str, saved: ProductSaved, dz: Array, dp: Mapping[str, Array]
) -> Array:
    """Go back from dz to dv (B, K), and add the parameters' gradients into `dp` by name."""
    v, norm, rows = saved
    if f"bias_{kind}" in p:
        dp[f"bias_{kind}"][rows] += dz.sum(axis=0)
    if norm is not None:
        dz, dgain = layer_norm_backward(norm, dz)
        dp[f"weight_ln_{kind}"][rows] += dgain
    dp[f"weight_{kind}"][rows] += dz.T @ v
    return dz @ p[f"weight_{kind}"][rows]
