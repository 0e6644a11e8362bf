"""What is left out of a recurrent layer: dropout with one mask a sequence, zoneout, and resets.

Dropout's masks are drawn in training only and are the same at every step: on the inputs, on the
state where the recurrent product reads it (Gal & Ghahramani, 2016), and on the recurrent weights
themselves (DropConnect: Wan et al., 2013; Merity et al., 2018).

Zoneout (Krueger et al., 2017) keeps elements of a state as they were, others at every step; in
evaluation each keeps so much of its old value as would stay on average:

    s_t = k ∘ s_{t-1} + (1 - k) ∘ (what the cell gives)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..checks import real_array
from ..dropout_masks import apply_mask, draw_mask, draw_ones
from ..parameters.parameter import Parameter
from ..parameters.scratch import Lease
from .steps import Steps

__all__ = ["NO_MASKS", "DirectionMasks", "draw_direction", "keep_masks"]


class DirectionMasks(NamedTuple):
    """The masks of one direction of a layer, None for none.

    Dropout's are scaled so that means are kept. Zoneout's are k for h and for c: of 0 and 1 for
    each row, or one row for all of them.
    """

    inputs: np.ndarray | None = None  # (B, I)
    state: np.ndarray | None = None  # (B, size of h)
    recurrent: np.ndarray | None = None  # W_hh's shape
    zoneout: tuple[np.ndarray | None, np.ndarray | None] = (None, None)  # (N or 1, width) each

    def on_inputs(self, x: np.ndarray, steps: Steps, lease: Lease | None) -> np.ndarray:
        """x (N, I) times the mask: in memory of `lease`, or in place."""
        if self.inputs is None:
            return x
        out = x if lease is None else lease.array(x.shape, x.dtype)
        for t in range(steps.count):
            rows = slice(steps.offsets[t], steps.offsets[t + 1])
            apply_mask(x[rows], self.inputs[: rows.stop - rows.start], out=out[rows])
        return out

    def weights(self, w: Any) -> Any:
        """The same `weights.Weights`, or new ones whose W_hh is times the mask."""
        if self.recurrent is None:
            return w
        return w.with_w_hh(Parameter(apply_mask(w.w_hh.numpy(), self.recurrent)))

    def add_gradient(self, ran: Any, w: Any) -> None:
        """Hand the gradient of the weights that ran on to those that they were made from."""
        if self.recurrent is not None and w.w_hh.requires_grad:
            w.w_hh.add_grad(apply_mask(ran.w_hh.grad, self.recurrent), copy=False)


NO_MASKS = DirectionMasks()


def draw_direction(module: Any, w: Any, steps: Steps) -> DirectionMasks:
    """Draw the masks of a call of `module` for one of its directions."""
    if not (module.drops and (module.training or module.zoneout or module.zoneout_cell)):
        return NO_MASKS

    def mask(p: float, *shape: int) -> np.ndarray | None:
        return draw_mask(module.rng, shape, p, module.dtype) if p and module.training else None

    return DirectionMasks(
        mask(module.input_dropout, steps.batch, w.inputs),
        mask(module.recurrent_dropout, steps.batch, w.size),
        mask(module.weight_dropout, *w.w_hh.shape),
        (
            _zoneout(module, module.zoneout, steps, w.size),
            _zoneout(module, module.zoneout_cell, steps, w.hidden),
        ),
    )


def _zoneout(module: Any, p: float, steps: Steps, width: int) -> np.ndarray | None:
    """Give k for one state: drawn for every row in training, else its expectation."""
    if not p:
        return None
    if module.training:
        return draw_ones(module.rng, (steps.rows, width), p, module.dtype)
    return np.full((1, width), p, module.dtype)


def keep_masks(
    reset: Any,
    shape: tuple[int, ...],
    batch_first: bool,
    lengths: np.ndarray | None,
    dtype: np.dtype,
) -> tuple[np.ndarray, np.ndarray]:
    """What states are multiplied by before each step: 0 where a reset stands, else 1.

    Parameters
    ----------
    reset : array_like of bool, of `shape`
        A reset at t stands between t - 1 and t: going forward nothing passes into step t, and in
        reverse nothing into step t - 1.
    shape : (T, B), (B, T) with `batch_first`, or (T,)
    lengths : (B,) int64 or None

    Returns
    -------
    forward, reverse : numpy.ndarray, (T, B) or (B, T) each

    Raises
    ------
    TypeError, ValueError
        Naming reset.
    """
    array = real_array("reset", reset)
    if array.dtype.kind != "b" and not (array.dtype.kind in "iu" and np.isin(array, (0, 1)).all()):
        raise TypeError(f"reset: expected booleans, or 0 and 1, got an array of {array.dtype}")
    if array.shape != tuple(shape):
        raise ValueError(f"reset: expected shape {tuple(shape)}, got {array.shape}")
    cut = array.astype(bool)
    if cut.ndim == 1:
        cut = cut[:, None]
    cut = cut.T if batch_first else cut
    after = np.zeros_like(cut)
    after[:-1] = cut[1:]
    if lengths is not None:
        # A sequence's last step starts from the initial state, whatever stands in the padding.
        after[np.maximum(lengths - 1, 0), np.arange(lengths.size)] = False
    masks = [np.where(one, dtype.type(0), dtype.type(1)) for one in (cut, after)]
    forward, reverse = (one.T if batch_first else one for one in masks)
    return np.ascontiguousarray(forward), np.ascontiguousarray(reverse)
