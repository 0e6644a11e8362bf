"""Masks as the kernels read them: padded, and without items where there are none."""

from __future__ import annotations

import numpy as np

from numba_lstm import nn
from numba_lstm.recurrent.kernel_masks import kernel_masks, masks_of_rows, no_masks
from numba_lstm.recurrent.masks import DirectionMasks

F4 = np.float32


def weights():
    return nn.LSTM(3, 5, seed=0).weights()[0]


def test_without_masks_there_are_none():
    assert kernel_masks(weights(), None, DirectionMasks(inputs=np.ones((2, 3), F4))) is None
    assert all(mask.size == 0 and mask.dtype == F4 for mask in no_masks(weights()))
    assert masks_of_rows(None, slice(0, 2)) is None


def test_each_mask_has_its_place_and_the_others_no_items(rng):
    w = weights()
    keep, state = np.ones(8, F4), rng.random((2, 5), F4)
    zone_h, zone_c = rng.random((8, 5), F4), rng.random((1, 5), F4)
    only_keep = kernel_masks(w, keep, DirectionMasks())
    assert only_keep.keep is keep and not any(mask.size for mask in only_keep[1:])
    found = kernel_masks(w, None, DirectionMasks(state=state, zoneout=(zone_h, zone_c)))
    assert found.keep.size == found.fresh.size == 0
    assert found.zone_h is zone_h and found.zone_c is zone_c
    assert found.drop.shape == (2, w.padded_h)
    assert np.array_equal(found.drop[:, :5], state) and not found.drop[:, 5:].any()


def test_some_rows_have_their_part_of_what_differs_by_row(rng):
    zone_h, zone_c = rng.random((8, 5), F4), rng.random((1, 5), F4)
    keep = np.arange(8, dtype=F4)
    masks = kernel_masks(weights(), keep, DirectionMasks(zoneout=(zone_h, zone_c)))
    some = masks_of_rows(masks, slice(2, 5))
    assert some.keep.tolist() == [2, 3, 4]
    assert np.array_equal(some.zone_h, zone_h[2:5]) and some.zone_c is zone_c
