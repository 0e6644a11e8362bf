"""The workspace of each form of a cell, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES

from numba_lstm import tuning
from numba_lstm.kernels.loops.cell import NORMALISED, PLAIN
from numba_lstm.parameters.scratch import Lease
from numba_lstm.recurrent.steps import whole
from numba_lstm.recurrent.workspace import gates_rows, workspace_backward, workspace_forward
from numba_lstm.simd import PANEL, TARGET

STEPS, BATCH = 4, 3
ROWS = STEPS * BATCH


def arrays(kind, hidden=5):
    w, lease = MODULES[kind](3, hidden, seed=0).weights()[0], Lease()
    there = workspace_forward(w, ROWS, lease)
    return w, there, workspace_backward(w, whole(STEPS, BATCH), there, lease), lease


@pytest.mark.parametrize("kind", MODULES)
def test_each_form_has_its_arrays(kind):
    for hidden in (5, TARGET.lanes(4) + 1):
        w, there, back, _lease = arrays(kind, hidden)
        if w.cell.form == PLAIN:
            assert there is None and back is None
            continue
        assert not there.zeros.any() and there.zeros.size == PANEL * w.lanes
        states = w.cell.states
        if w.cell.form == NORMALISED:
            shape = w.panels, gates_rows(ROWS), PANEL * w.lanes
            assert there.zx.shape == there.zh.shape == shape
            assert there.c.shape == (ROWS if states == 2 else 0, w.padded)
            groups = len(w.cell.groups.x) + len(w.cell.groups.h)
            assert there.moments.shape == (ROWS, 2 * (groups + 1))
            assert back.means.shape == (BATCH, 2 * (groups + 1))
            # What forward left is what backward reads, not a copy.
            assert all(getattr(back, n) is getattr(there, n) for n in ("zx", "zh", "moments", "c"))
            assert back.dh.shape == (BATCH, w.padded_h)
        else:
            assert there.m.shape == (ROWS, w.padded)
            # W₂ is W_hr, or the last gate's part of W_hh.
            w2 = w.w_hr.numpy() if w.w_hr is not None else w.w_hh.numpy()[w.last_gate :]
            by_rows = there.w[0, :hidden, : len(w2)][:, : w.lanes]
            assert np.array_equal(by_rows, w2[: w.lanes].T)
            assert np.array_equal(
                back.w[0, : len(w2), : w.lanes][:, : w2.shape[1]], w2[:, : w.lanes]
            )
            assert back.dh.shape == (ROWS if w.w_hr is not None else 0, w.padded_h)
            assert not back.zeros.any()


@pytest.mark.parametrize("kind", ["lstm-normalised", "gru-normalised"])
def test_sums_start_at_zero_in_used_memory(kind):
    for _ in range(2):
        *_, back, lease = arrays(kind)
        assert not back.sums.any()
        back.sums[...] = np.nan
        lease.release()


def test_rows_of_a_panel_are_spread_over_the_caches_sets():
    multiple, rest = tuning.GATES_ROW_MULTIPLE, tuning.GATES_ROW_REST
    assert [gates_rows(n) for n in (0, 1, multiple - 1)] == [0, 1, multiple - 1]
    for rows in (multiple, multiple + 1, 10 * multiple - 1):
        assert 0 <= gates_rows(rows) - rows < multiple and gates_rows(rows) % multiple == rest
