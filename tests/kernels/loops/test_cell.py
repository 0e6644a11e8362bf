"""What makes a cell: layouts that follow from its orders, and orders that cannot be."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

from numba_lstm.kernels import cells
from numba_lstm.kernels.cells.gru import GRU
from numba_lstm.kernels.cells.gru_before import GRU_BEFORE
from numba_lstm.kernels.cells.lstm import LSTM, PROJECTED_LSTM
from numba_lstm.kernels.cells.lstm_options import LSTM_OPTIONS
from numba_lstm.kernels.cells.normalised import NORMALISED_GRU, NORMALISED_LSTM
from numba_lstm.kernels.cells.rnn import RNN_TANH
from numba_lstm.kernels.loops import cell as module
from numba_lstm.kernels.loops.cell import Cell, Traits, make_cell, windows_of


def every_cell():
    """Whatever the files in `cells` define, those of the future, too."""
    for info in pkgutil.iter_modules(cells.__path__):
        found = vars(importlib.import_module(f"{cells.__name__}.{info.name}")).values()
        yield from (value for value in found if isinstance(value, Cell))


def test_layouts_follow_from_the_orders():
    assert (LSTM.slots, GRU.slots, RNN_TANH.slots) == (4, 4, 1)
    assert LSTM.windows == RNN_TANH.windows == (4, 0, 4)
    assert GRU.windows == NORMALISED_GRU.windows == (3, 1, 3) and GRU_BEFORE.windows == (3, 1, 2)
    assert GRU.x_columns.tolist() == [2, 0, 1] and GRU.h_columns.tolist() == [0, 1, 2]
    assert GRU_BEFORE.h_columns.tolist() == [0, 1]
    assert GRU_BEFORE.bias_order.tolist() == [2, 0, 1, -1]
    for hidden, lstm, rnn in ((1, 1, 1), (16, 1, 1), (17, 2, 1), (65, 5, 2)):
        assert (LSTM.panels(hidden, 16), RNN_TANH.panels(hidden, 16)) == (lstm, rnn)
        assert (LSTM.padded(hidden, 16), RNN_TANH.padded(hidden, 16)) == (16 * lstm, 64 * rnn)
    assert LSTM.padded_h(17, 16) == GRU_BEFORE.padded_h(17, 16) == 32
    assert PROJECTED_LSTM.padded_h(17, 16) == 64


def test_the_form_says_what_a_step_runs():
    forms = {
        module.PLAIN: (LSTM, LSTM_OPTIONS, GRU, RNN_TANH),
        module.H_PROJECTED: (PROJECTED_LSTM,),
        module.RESET_BEFORE: (GRU_BEFORE,),
        module.NORMALISED: (NORMALISED_LSTM, NORMALISED_GRU),
    }
    for form, some in forms.items():
        assert all(cell.form == form for cell in some)
    # The gains of both products, and the gain and bias of c.
    assert NORMALISED_LSTM.constants == NORMALISED_GRU.constants == 2 * 4 + 2
    # The groups hold each vector that has a gate once.
    for cell in every_cell():
        assert (cell.groups is None) == (cell.form != module.NORMALISED)
        if cell.groups is not None:
            for groups, order in zip(cell.groups, (cell.x_order, cell.h_order)):
                inside = sorted(k for first, n in groups for k in range(first, first + n))
                assert inside == np.flatnonzero(order >= 0).tolist()


@pytest.mark.parametrize(
    "x_order, h_order",
    [
        ([0, -1], [-1, 0]),  # two units' vectors in a panel
        ([0, -1, 1, 2], [0, 1, 2, -1]),  # in the middle of x
        ([0, 1, 2, -1], [0, -1, 1, 2]),  # in the middle of h
        ([-1, 0, 1, 2], [0, 1, 2, -1]),  # at x's start
    ],
)
def test_an_order_with_gaps_fills_a_panel_and_has_them_at_its_ends(x_order, h_order):
    message = "odd: an order with gaps must fill a panel, and have them at its ends"
    with pytest.raises(ValueError, match=message):
        windows_of("odd", x_order, h_order)
    with pytest.raises(ValueError, match=message):
        make_cell("odd", module.PLAIN, 3, None, None, Traits(x_order, h_order))


def test_windows_are_what_is_between_the_gaps():
    assert windows_of("plain", [0, 1], [0, 1]) == (4, 0, 4)
    assert windows_of("some", [1, 0, -1, -1], [-1, -1, 1, 0]) == (2, 2, 2)


def test_names_of_time_loops_are_the_cells_own():
    found = {id(cell): cell for cell in every_cell()}.values()
    names = [getattr(cell, way).__name__ for cell in found for way in ("forward", "backward")]
    assert len(names) >= 2 * 9
    assert len(set(names)) == len(names) and all(name.endswith("ward") for name in names)
    assert len({cell.name for cell in found}) == len(found)
