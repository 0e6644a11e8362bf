"""One step of the LSTM (Hochreiter & Schmidhuber, 1997; Gers et al., 2000), with every option.

For a row of the batch, with ``z`` split into four parts in torch's order i, f, g, o::

    z = product_ih(x) + product_hh(h_prev)                          (1)
    i = σ(z_i + p_i ∘ c_prev)                                       (2)
    f = σ(z_f + p_f ∘ c_prev),  coupled: f = 1 - i                  (3)
    g = tanh(z_g)                                                   (4)
    c = f ∘ c_prev + i ∘ g                                          (5)
    o = σ(z_o + p_o ∘ c)                                            (6)
    s = tanh(c),  layer-normalised: s = tanh(LN(c; g_c) + b_c)      (7)
    h = o ∘ s,  projected: h = (o ∘ s) W_hrᵀ                        (8)

The products are plain, or layer-normalised over all four gates (`product`; Ba et al., 2016,
equations 20 to 22). c itself is carried on unnormalised, as there. Peepholes p, the coupled gates
and the clip are ONNX's: coupled, the rows of f have no use and zero gradients; `clip` holds the
arguments of σ and tanh in (2) to (4) and (6) within ±clip, as onnxruntime does, which leaves c and
the argument of (7) alone.

Parameters, by name (a name's presence turns its option on):

====================== ============ ==================================================
``weight_ih``          (4H, I)
``weight_hh``          (4H, P)      P = H if there is no projection
``bias_ih, bias_hh``   (4H,)        optional
``weight_hr``          (P, H)       projection
``weight_peephole``    (3H,)        p_i, p_f, p_o
``weight_ln_ih``       (4H,)        gain of the layer-normalised x W_ihᵀ; β is bias_ih
``weight_ln_hh``       (4H,)        gain of the layer-normalised h_prev W_hhᵀ; β is bias_hh
``weight_ln_c``        (H,)         g_c
``bias_ln_c``          (H,)         b_c, optional
====================== ============ ==================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .activations import clip, sigmoid
from .layer_norm import LayerNormSaved, layer_norm_backward, layer_norm_forward
from .product import ProductSaved, product_backward, product_forward

__all__ = ["GatesSaved", "LSTMCell", "LSTMSaved"]

Array = np.ndarray


class GatesSaved(NamedTuple):
    """What (2) to (7) keep."""

    gates: Array  # (B, 4H), i, f, g, o after their activations
    c_prev: Array  # (B, H)
    c: Array  # (B, H)
    s: Array  # (B, H), tanh of the normalised or plain c
    slope: Array  # (B, 4H) bool, where z was not clipped
    norm: LayerNormSaved | None  # of c


class LSTMSaved(NamedTuple):
    """What a step keeps for its backward."""

    ih: ProductSaved
    hh: ProductSaved
    gates: GatesSaved


@dataclass(frozen=True)
class LSTMCell:
    """The cell; its states are (h, c), of widths (P, H)."""

    clip: float | None = None
    coupled: bool = False

    def forward(
        self, p: Mapping[str, Array], x: Array, h_in: Array, state: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], LSTMSaved]:
        """Do one step.

        Parameters
        ----------
        p : mapping of str to array
            The table above.
        x : array, shape (B, I)
        h_in : array, shape (B, P)
            The h_prev that is multiplied: with variational dropout not the state's own.
        state : (h_prev (B, P), c_prev (B, H))

        Returns
        -------
        state : (h (B, P), c (B, H))
        saved : LSTMSaved
        """
        z_x, ih = product_forward(p, "ih", x)
        z_h, hh = product_forward(p, "hh", h_in)
        gates = self.gates_forward(p, z_x + z_h, state[1])  # (1)
        h = gates.gates[:, -gates.c.shape[1] :] * gates.s  # (8)
        if "weight_hr" in p:
            h = h @ p["weight_hr"].T
        return (h, gates.c), LSTMSaved(ih, hh, gates)

    def backward(
        self,
        p: Mapping[str, Array],
        saved: LSTMSaved,
        dstate: tuple[Array, ...],
        dp: Mapping[str, Array],
    ) -> tuple[Array, Array, tuple[Array, ...]]:
        """Go one step back.

        Parameters
        ----------
        p, saved
            As given to, and by, `forward`.
        dstate : (dh (B, P), dc (B, H))
            Everything that flows into h and c from outside this step.
        dp : mapping of str to array
            The parameters' gradients by their names, added to in place.

        Returns
        -------
        dx : array, shape (B, I)
        dh_in : array, shape (B, P)
        dstate_prev : (dh_prev (B, P), dc_prev (B, H))
            What does not go through the products: zero for h.
        """
        dm, dc = dstate
        if "weight_hr" in p:
            m = saved.gates.gates[:, -dc.shape[1] :] * saved.gates.s
            dp["weight_hr"][...] += dm.T @ m  # from (8)
            dm = dm @ p["weight_hr"]
        dz, dc_prev = self.gates_backward(p, saved.gates, dm, dc, dp)
        dx = product_backward(p, "ih", saved.ih, dz, dp)  # from (1)
        dh_in = product_backward(p, "hh", saved.hh, dz, dp)  # from (1)
        return dx, dh_in, (np.zeros(dh_in.shape), dc_prev)

    def gates_forward(self, p: Mapping[str, Array], z: Array, c_prev: Array) -> GatesSaved:
        """Apply (2) to (7) to z (B, 4H) and c_prev (B, H)."""
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
        peephole = np.split(p["weight_peephole"], 3) if "weight_peephole" in p else None
        if peephole is not None:
            z_i, z_f = z_i + peephole[0] * c_prev, z_f + peephole[1] * c_prev
        (z_i, slope_i), (z_f, slope_f) = clip(z_i, self.clip), clip(z_f, self.clip)
        z_g, slope_g = clip(z_g, self.clip)
        i = sigmoid(z_i)  # (2)
        f = 1 - i if self.coupled else sigmoid(z_f)  # (3)
        g = np.tanh(z_g)  # (4)
        c = f * c_prev + i * g  # (5)
        if peephole is not None:
            z_o = z_o + peephole[2] * c
        z_o, slope_o = clip(z_o, self.clip)
        o = sigmoid(z_o)  # (6)
        s, norm = c, None
        if "weight_ln_c" in p:
            s, norm = layer_norm_forward(c, p["weight_ln_c"])
            s = s + p.get("bias_ln_c", 0.0)
        slope = np.concatenate([slope_i, slope_f, slope_g, slope_o], axis=1)
        gates = np.concatenate([i, f, g, o], axis=1)
        return GatesSaved(gates, c_prev, c, np.tanh(s), slope, norm)  # (7)

    def gates_backward(
        self,
        p: Mapping[str, Array],
        saved: GatesSaved,
        dm: Array,
        dc: Array,
        dp: Mapping[str, Array],
    ) -> tuple[Array, Array]:
        """Go back over (8) to (2), from the cotangents of m = o ∘ s and of c to those of z, c_prev.

        Parameters
        ----------
        dm, dc : array, shape (B, H)
        dp : mapping of str to array
            Added to in place.

        Returns
        -------
        dz : array, shape (B, 4H)
        dc_prev : array, shape (B, H)
        """
        i, f, g, o = np.split(saved.gates, 4, axis=1)
        slope_i, slope_f, slope_g, slope_o = np.split(saved.slope, 4, axis=1)
        peephole = np.split(p["weight_peephole"], 3) if "weight_peephole" in p else None
        c_prev, c, s = saved.c_prev, saved.c, saved.s
        ds = dm * o * (1 - s**2)  # from (8), then (7): tanh' = 1 - tanh²
        if saved.norm is not None:
            if "bias_ln_c" in p:
                dp["bias_ln_c"][...] += ds.sum(axis=0)
            ds, dgain = layer_norm_backward(saved.norm, ds)
            dp["weight_ln_c"][...] += dgain
        dz_o = dm * s * o * (1 - o) * slope_o  # from (8), then (6): σ' = σ (1 - σ)
        dc = dc + ds
        if peephole is not None:
            dc = dc + dz_o * peephole[2]  # from (6): o sees this step's c
        di, df, dg = dc * g, dc * c_prev, dc * i  # from (5)
        dc_prev = dc * f  # from (5)
        if self.coupled:
            di, df = di - df, np.zeros(df.shape)  # from (3): f is 1 - i
        dz_i = di * i * (1 - i) * slope_i  # from (2)
        dz_f = df * f * (1 - f) * slope_f  # from (3)
        dz_g = dg * (1 - g**2) * slope_g  # from (4)
        if peephole is not None:
            dc_prev = dc_prev + dz_i * peephole[0] + dz_f * peephole[1]  # from (2), (3)
            seen = [dz_i * c_prev, dz_f * c_prev, dz_o * c]
            dp["weight_peephole"][...] += np.concatenate(seen, axis=1).sum(axis=0)
        return np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1), dc_prev
