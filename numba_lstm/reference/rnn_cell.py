"""One step of the plain recurrent network (Elman, 1990), as torch's.

::

    h = φ(product_ih(x) + product_hh(h_prev)),  φ = tanh or relu    (1)

Parameters, by name: ``weight_ih (H, I)``, ``weight_hh (H, H)``; optional ``bias_ih``,
``bias_hh (H,)``; layer-normalised where there are gains ``weight_ln_ih``, ``weight_ln_hh (H,)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .activations import relu
from .product import ProductSaved, product_backward, product_forward

__all__ = ["RNNCell", "RNNSaved"]

Array = np.ndarray


class RNNSaved(NamedTuple):
    """What a step keeps for its backward."""

    ih: ProductSaved
    hh: ProductSaved
    h: Array  # (B, H)


@dataclass(frozen=True)
class RNNCell:
    """The cell; its only state is h. `nonlinearity` is "tanh" or "relu"."""

    nonlinearity: str = "tanh"

    def forward(
        self, p: Mapping[str, Array], x: Array, h_in: Array, state: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], RNNSaved]:
        """Do one step from x (B, I) and h_in (B, H), the h_prev that is multiplied.

        Returns
        -------
        state : (h (B, H),)
        saved : RNNSaved
        """
        z_x, ih = product_forward(p, "ih", x)
        z_h, hh = product_forward(p, "hh", h_in)
        z = z_x + z_h
        h = np.tanh(z) if self.nonlinearity == "tanh" else relu(z)  # (1)
        return (h,), RNNSaved(ih, hh, h)

    def backward(
        self,
        p: Mapping[str, Array],
        saved: RNNSaved,
        dstate: tuple[Array, ...],
        dp: Mapping[str, Array],
    ) -> tuple[Array, Array, tuple[Array, ...]]:
        """Go one step back from (dh (B, H),), adding the parameters' gradients into `dp` by name.

        Returns
        -------
        dx : array, shape (B, I)
        dh_in : array, shape (B, H)
        dstate_prev : (zeros (B, H),)
            Nothing goes past the product.
        """
        (dh,) = dstate
        h = saved.h
        dz = dh * (1 - h**2 if self.nonlinearity == "tanh" else h > 0)  # from (1)
        dx = product_backward(p, "ih", saved.ih, dz, dp)
        dh_in = product_backward(p, "hh", saved.hh, dz, dp)
        return dx, dh_in, (np.zeros(dh_in.shape),)
