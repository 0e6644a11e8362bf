"""What makes a cell: layouts that follow from its orders, and orders that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.kernels.cell import make_cell
from numba_lstm.kernels.cells.gru import GRU
from numba_lstm.kernels.cells.lstm import LSTM, PROJECTED_LSTM
from numba_lstm.kernels.cells.lstm_options import LSTM_OPTIONS, PROJECTED_LSTM_OPTIONS
from numba_lstm.kernels.cells.rnn import RNN_TANH


def test_layouts_follow_from_the_orders():
    assert (LSTM.slots, GRU.slots, RNN_TANH.slots) == (4, 4, 1)
    assert LSTM.windows == RNN_TANH.windows == (4, 0, 4) and GRU.windows == (3, 1, 3)
    assert GRU.x_columns.tolist() == [2, 0, 1] and GRU.h_columns.tolist() == [0, 1, 2]
    for hidden, lstm, rnn in ((1, 1, 1), (16, 1, 1), (17, 2, 1), (65, 5, 2)):
        assert (LSTM.panels(hidden, 16), RNN_TANH.panels(hidden, 16)) == (lstm, rnn)
        assert (LSTM.padded(hidden, 16), RNN_TANH.padded(hidden, 16)) == (16 * lstm, 64 * rnn)
    assert LSTM.padded_h(17, 16) == 32 and PROJECTED_LSTM.padded_h(17, 16) == 64


def test_an_order_with_gaps_fills_a_panel():
    with pytest.raises(ValueError, match="odd: an order with gaps must fill a panel"):
        make_cell("odd", 1, None, None, x_order=[0, -1], h_order=[-1, 0])


def test_names_of_time_loops_are_the_cells_own():
    cells = (LSTM, PROJECTED_LSTM, LSTM_OPTIONS, PROJECTED_LSTM_OPTIONS, GRU, RNN_TANH)
    names = [getattr(cell, way).__name__ for cell in cells for way in ("forward", "backward")]
    assert len(set(names)) == len(names) and np.all([n.endswith("ward") for n in names])
