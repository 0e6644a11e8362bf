"""Gradients of one direction's parameters, from dz and from sums over rows."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES

from numba_lstm.kernels.loops.normalised_backward import numbers_of_unit
from numba_lstm.recurrent.gradients import norm_gradients
from numba_lstm.simd import TARGET


@pytest.mark.parametrize("kind", ["lstm-normalised", "gru-normalised"])
def test_gradients_are_added_up_over_the_batch_each_at_its_parameter(rng, kind):
    hidden = TARGET.lanes(4) + 1
    w, batch = MODULES[kind](3, hidden, seed=0).weights()[0], 3
    slots = w.cell.slots
    sums = rng.integers(0, 9, (batch, numbers_of_unit(slots) * w.panels * w.lanes))
    total = sums.sum(0).reshape(w.panels, 3 * slots + 2, w.lanes)
    total = total.swapaxes(0, 1).reshape(-1, w.padded)[:, :hidden]
    for _ in range(2):
        norm_gradients(w, sums.sum(axis=0, dtype=np.float64))
    for p, start, order in (
        (w.ln_ih, 0, w.cell.x_order), (w.ln_hh, slots, w.cell.h_order),
        (w.b_ih, 2 * slots + 2, w.cell.x_order), (w.b_hh, 2 * slots + 2, w.cell.h_order),
    ):  # fmt: skip
        for slot, gate in enumerate(order):
            if gate >= 0:
                found = p.grad.reshape(-1, hidden)[gate]
                assert np.array_equal(found, 2 * total[start + slot]), (slot, gate)
    for p, at in ((w.ln_c, 2 * slots), (w.b_ln_c, 2 * slots + 1)):
        assert p is None or np.array_equal(p.grad, 2 * total[at])
