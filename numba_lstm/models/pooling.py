"""From what a recurrent stack gives at each step to one row of features a sequence, and back.

Each function takes the stack, its outputs (y, final state) and the checked lengths, and gives
features (…, D·H) and ``spread``, a function from their cotangent to those of y and of the final
state, which the stack's pullback takes. y is (T, B, D·H), (B, T, D·H) with batch_first, or (T, D·H)
for a single sequence.

A sequence of length 0 has no step to pool: its features are zeros, and no gradient goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..quiet import without_errors

__all__ = ["POOLINGS", "padding"]

Spread = Callable[[np.ndarray], tuple[np.ndarray | None, Any]]

# Steps that are summed in the module's dtype before they go into a float64: the rounding error of a
# mean in float32 does not grow with longer sequences, at the speed of float32.
_CHUNK = 64


def last(
    stack: Any, y: np.ndarray, final: Any, lengths: np.ndarray | None
) -> tuple[np.ndarray, Spread]:
    """The last layer's final h, both directions beside each other.

    The forward direction's is that of the last step of each sequence, the reverse direction's that
    of the first: ``torch.cat([hn[-2], hn[-1]], dim=-1)``, as torch's users write it.
    """
    pair = len(stack.STATES) == 2
    directions = 2 if stack.bidirectional else 1
    hn = final[0] if pair else final
    by_layer = isinstance(hn, list)  # where the layers' sizes differ
    h = hn[-1] if by_layer else hn[-directions:]  # (D, B, H)
    features = np.moveaxis(h, 0, -2)
    shape = features.shape
    features = features.reshape(*shape[:-2], shape[-2] * shape[-1])
    count, whole = len(hn), None if by_layer else hn.shape

    def spread(dfeatures: np.ndarray) -> tuple[None, Any]:
        dh = np.moveaxis(dfeatures.reshape(shape), -2, 0)
        dhn: Any
        if whole is None:
            dhn = [*[None] * (count - 1), dh]
        else:
            dhn = np.zeros(whole, dfeatures.dtype)
            dhn[-directions:] = dh
        return None, (dhn, None) if pair else dhn

    return features, spread


@without_errors
def mean(
    stack: Any, y: np.ndarray, final: Any, lengths: np.ndarray | None
) -> tuple[np.ndarray, Spread]:
    """The mean over a sequence's steps."""
    steps = _time_first(stack, y)
    total = np.zeros(steps.shape[1:], np.float64)
    for start in range(0, len(steps), _CHUNK):
        total += steps[start : start + _CHUNK].sum(axis=0)  # y is zero past a sequence's end
    count: Any = len(steps) if lengths is None else np.maximum(lengths, 1)[:, None]
    shape, dtype = y.shape, y.dtype

    @without_errors
    def spread(dfeatures: np.ndarray) -> tuple[np.ndarray, None]:
        dy = np.empty(shape, dtype)
        # The stack's pullback does not look at what stands past a sequence's end.
        _time_first(stack, dy)[...] = dfeatures / count
        return dy, None

    return (total / count).astype(dtype), spread


@without_errors
def largest(
    stack: Any, y: np.ndarray, final: Any, lengths: np.ndarray | None
) -> tuple[np.ndarray, Spread]:
    """The largest value of each feature over a sequence's steps.

    Of equal values the earliest gets the gradient. NaN counts as the largest value.
    """
    steps = _time_first(stack, y)
    if lengths is not None:
        beyond = padding(lengths, len(steps))[..., None]
        steps = np.where(beyond, y.dtype.type(-np.inf), steps)
    features = steps.max(axis=0)
    if lengths is not None:
        features[lengths == 0] = 0

    def spread(dfeatures: np.ndarray) -> tuple[np.ndarray, None]:
        place = steps.argmax(axis=0)[None]
        dy = np.zeros_like(y)
        np.put_along_axis(_time_first(stack, dy), place, dfeatures[None], axis=0)
        return dy, None

    return features, spread


POOLINGS = {"last": last, "mean": mean, "max": largest}


def padding(lengths: np.ndarray, count: int) -> np.ndarray:
    """Where in a padded batch no sequence is: (T, B) bool."""
    return np.arange(count)[:, None] >= lengths


def _time_first(stack: Any, y: np.ndarray) -> np.ndarray:
    """A view (T, B, D·H) or (T, D·H)."""
    return y.swapaxes(0, 1) if stack.batch_first and y.ndim == 3 else y
