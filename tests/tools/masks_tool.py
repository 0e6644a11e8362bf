"""What the tests of dropout and zoneout share: masks that are given instead of drawn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from family_tool import Case, tails

from numba_lstm.recurrent import call
from numba_lstm.recurrent.masks import DirectionMasks
from numba_lstm.reference.recurrent import Dropout


def draw_masks(rng: Any, module: Any, case: Case, wanted: Sequence[str]) -> dict[str, Dropout]:
    """The reference's masks, by tail.

    `wanted` are of: inputs, state, recurrent, zoneout, zoneout of h, zoneout of c.
    """
    steps, batch = case.x.shape[:2]
    if module.batch_first:
        steps, batch = batch, steps
    found = {}
    for w, tail in zip(module.weights(), tails(module), strict=True):

        def mask(name: str, *shape: int) -> Any:
            return rng.integers(0, 2, shape) * 2.0 if name in wanted else None

        def kept(state: str, width: int) -> Any:
            both = "zoneout" in wanted or f"zoneout of {state}" in wanted
            return rng.integers(0, 2, (steps, batch, width)) * 1.0 if both else None

        states = zip(module.STATES, (w.size, w.hidden))
        found[tail] = Dropout(
            mask("inputs", batch, w.inputs),
            mask("state", batch, w.size),
            mask("recurrent", *w.w_hh.shape),
            tuple(kept(name[0], width) for name, width in states),
        )
    return found


def for_layers(module: Any, lengths: Any, masks: Mapping[str, Dropout]) -> list[DirectionMasks]:
    """The same masks as the layers take them: rows in the order in which they are computed."""

    def typed(mask: Any) -> Any:
        return None if mask is None else np.ascontiguousarray(mask, module.dtype)

    def sorted_(mask: Any) -> Any:
        some = mask is not None and lengths is not None
        return typed(mask[_order(lengths)] if some else mask)

    found = []
    for one in masks.values():
        h, c = (*(typed(rows(k, lengths)) for k in one.zoneout), None, None)[:2]
        found.append(
            DirectionMasks(sorted_(one.inputs), sorted_(one.state), typed(one.weight_hh), (h, c))
        )
    return found


def rows(array: Any, lengths: Any) -> Any:
    """The rows (N, width) of an array (T, B, width) that are computed; None stays None."""
    if array is None or lengths is None:
        return None if array is None else array.reshape(-1, array.shape[2])
    order = _order(lengths)
    return array[:, order][np.arange(len(array))[:, None] < np.asarray(lengths)[order]]


def _order(lengths: Any) -> np.ndarray:
    return np.argsort(-np.asarray(lengths), kind="stable")


def fix(
    patch: pytest.MonkeyPatch,
    module: Any,
    lengths: Any,
    masks: Mapping[str, Dropout],
    between: Sequence[np.ndarray] = (),
) -> None:
    """Have every call of `module`, which is in training, take these instead of drawing."""
    each = itertools.cycle(for_layers(module, lengths, masks))
    patch.setattr(call, "draw_direction", lambda *a: next(each))
    if between:
        layers = itertools.cycle([rows(one, lengths).astype(module.dtype) for one in between])
        patch.setattr(call, "draw_mask", lambda *a: next(layers))
