"""Arrays that start on a cache line, whatever their size."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.parameters import aligned


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1"])
@pytest.mark.parametrize("shape", [0, 1, 77, (3, 0), (5, 7, 64), (400, 256)])
def test_the_first_item_stands_at_the_start_of_a_line(shape, dtype):
    for _ in range(5):
        array = aligned.empty(shape, dtype)
        assert array.shape == np.empty(shape).shape and array.dtype == dtype
        assert array.flags.carray
        assert array.size == 0 or array.ctypes.data % aligned.LINE == 0


def test_packed_weights_do():
    from numba_lstm.parameters import packed
    from numba_lstm.recurrent import operands

    for dtype in ("f4", "f8"):
        lstm = nn.LSTM(3, 40, 2, proj_size=5, dtype=dtype, seed=0)
        for w in lstm.weights():
            arrays = [operands.packed_weights(w), packed.packed_rows(w.w_hr)]
            arrays.append(
                packed.packed_columns(w.w_hh, 4, w.cell.h_columns, w.panels * 4 * w.lanes)
            )
            assert [a.ctypes.data % aligned.LINE for a in arrays] == [0, 0, 0]
