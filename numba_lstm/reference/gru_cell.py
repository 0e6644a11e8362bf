"""One step of the GRU (Cho et al., 2014), with the reset gate in either place.

For a row of the batch, in torch's order of gates r, z, n; a and u are the products of the input
and of the state, each with its bias::

    r = σ(a_r + u_r)                                                (1)
    z = σ(a_z + u_z)                                                (2)
    n = tanh(a_n + r ∘ u_n),  u_n = product_hh(h_prev)      after   (3)
    n = tanh(a_n + u_n),      u_n = product_hh(r ∘ h_prev)  before  (3')
    h = (1 - z) ∘ n + z ∘ h_prev                                    (4)

"After" the product is torch's place, and ONNX's with ``linear_before_reset=1``; "before" is the
paper's, ONNX's default and Keras's ``reset_after=False``. Layer-normalised, r and z are normalised
together and n apart, input and state each on its own (Ba et al., 2016, equations 26 to 28), which
has the same meaning in both places.

Parameters, by name: ``weight_ih (3H, I)``, ``weight_hh (3H, H)``; optional ``bias_ih``,
``bias_hh (3H,)``; layer-normalised where there are gains ``weight_ln_ih``, ``weight_ln_hh (3H,)``,
whose β are the biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .activations import sigmoid
from .product import ProductSaved, product_backward, product_forward

__all__ = ["GRUCell", "GRUSaved"]

Array = np.ndarray


class GRUSaved(NamedTuple):
    """What a step keeps for its backward."""

    products: tuple[ProductSaved, ...]  # of a_rz, a_n, u_rz, u_n
    h_in: Array  # (B, H)
    h_prev: Array  # (B, H)
    r: Array  # (B, H), and so the others
    z: Array
    n: Array
    u_n: Array


@dataclass(frozen=True)
class GRUCell:
    """The cell; its only state is h."""

    reset_after: bool = True

    def forward(
        self, p: Mapping[str, Array], x: Array, h_in: Array, state: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], GRUSaved]:
        """Do one step.

        Parameters
        ----------
        p : mapping of str to array
        x : array, shape (B, I)
        h_in : array, shape (B, H)
            The h_prev that is multiplied, in (1) to (3): with variational dropout not the state's
            own, which stands in (4).
        state : (h_prev (B, H),)

        Returns
        -------
        state : (h (B, H),)
        saved : GRUSaved
        """
        (h_prev,) = state
        rz, new = _rows(h_prev.shape[1])
        a_rz, kept_a_rz = product_forward(p, "ih", x, rz)
        a_n, kept_a_n = product_forward(p, "ih", x, new)
        u_rz, kept_u_rz = product_forward(p, "hh", h_in, rz)
        r, z = np.split(sigmoid(a_rz + u_rz), 2, axis=1)  # (1), (2)
        u_n, kept_u_n = product_forward(p, "hh", h_in if self.reset_after else r * h_in, new)
        n = np.tanh(a_n + (r * u_n if self.reset_after else u_n))  # (3)
        h = (1 - z) * n + z * h_prev  # (4)
        products = (kept_a_rz, kept_a_n, kept_u_rz, kept_u_n)
        return (h,), GRUSaved(products, h_in, h_prev, r, z, n, u_n)

    def backward(
        self,
        p: Mapping[str, Array],
        saved: GRUSaved,
        dstate: tuple[Array, ...],
        dp: Mapping[str, Array],
    ) -> tuple[Array, Array, tuple[Array, ...]]:
        """Go one step back.

        Parameters
        ----------
        p, saved
            As given to, and by, `forward`.
        dstate : (dh (B, H),)
            Everything that flows into h from outside this step.
        dp : mapping of str to array
            The parameters' gradients by their names, added to in place.

        Returns
        -------
        dx : array, shape (B, I)
        dh_in : array, shape (B, H)
        dstate_prev : (dh_prev (B, H),)
            What comes by way of (4) and not through the products.
        """
        (dh,) = dstate
        (kept_a_rz, kept_a_n, kept_u_rz, kept_u_n), h_in, h_prev, r, z, n, u_n = saved
        da_n = dh * (1 - z) * (1 - n**2)  # from (4), then (3): tanh' = 1 - tanh²
        dz = dh * (h_prev - n)  # from (4)
        if self.reset_after:
            dr = da_n * u_n  # from (3)
            dh_in = product_backward(p, "hh", kept_u_n, da_n * r, dp)
        else:
            drh = product_backward(p, "hh", kept_u_n, da_n, dp)  # from (3'), of r ∘ h_in
            dr, dh_in = drh * h_in, drh * r
        da_rz = np.concatenate([dr * r * (1 - r), dz * z * (1 - z)], axis=1)  # from (1), (2)
        dh_in = dh_in + product_backward(p, "hh", kept_u_rz, da_rz, dp)
        dx = product_backward(p, "ih", kept_a_rz, da_rz, dp)
        dx = dx + product_backward(p, "ih", kept_a_n, da_n, dp)
        return dx, dh_in, (dh * z,)


def _rows(hidden: int) -> tuple[slice, slice]:
    """Where r and z, and n, stand in the weights."""
    return slice(0, 2 * hidden), slice(2 * hidden, 3 * hidden)
