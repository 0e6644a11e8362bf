"""The masks of one direction in the form that kernels read: an empty array for an absent mask."""

from __future__ import annotations

import functools

import numpy as np

from ..kernels.loops.arguments import Masks
from .masks import DirectionMasks
from .weights import Weights, no_items

__all__ = ["kernel_masks", "masks_of_rows", "no_masks"]


def no_masks(w: Weights) -> Masks:
    """Give the masks of a direction without any."""
    return _none_of(w.w_hh.dtype)


@functools.cache
def _none_of(dtype: np.dtype) -> Masks:
    none = no_items(dtype)
    return Masks(none.reshape(-1), none, none, none, none)


def kernel_masks(w: Weights, keep: np.ndarray | None, masks: DirectionMasks) -> Masks | None:
    """Give the masks of one direction, None where there is none at all.

    Parameters
    ----------
    w : Weights
    keep : (N,), or None
        0 where a reset stands before a row's step, else 1.
    masks : DirectionMasks
        Of which those of the state, (B, size of h), and of zoneout count here.
    """
    zone_h, zone_c = masks.zoneout
    if keep is None and masks.state is None and zone_h is None and zone_c is None:
        return None
    given = {"keep": keep, "drop": masks.state, "zone_h": zone_h, "zone_c": zone_c}
    there = {name: mask for name, mask in given.items() if mask is not None}
    if masks.state is not None:
        there["drop"] = np.pad(masks.state, ((0, 0), (0, w.padded_h - w.size)))
    return no_masks(w)._replace(**there)


def masks_of_rows(masks: Masks | None, rows: slice) -> Masks | None:
    """Give the same masks for some of the N rows."""
    if masks is None:
        return None
    zone_h, zone_c = (zone[rows] if len(zone) > 1 else zone for zone in masks[2:4])
    return masks._replace(keep=masks.keep[rows], zone_h=zone_h, zone_c=zone_c)
