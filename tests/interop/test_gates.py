"""The orders of gates, and the shapes of weights, stand in one place each."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.interop import _gates as gates


@pytest.mark.parametrize("order", [gates.OURS, gates.KERAS, gates.ONNX])
def test_every_order_holds_the_gates_of_each_cell_once(order):
    assert order.keys() == gates.CELLS.keys()
    for number, letters in order.items():
        assert sorted(letters) == sorted(gates.OURS[number]) and len(letters) == number


def test_the_classes_have_as_many_gates_as_the_table_says():
    assert all(number == cell.GATES for number, cell in gates.CELLS.items())


def test_orders_are_those_of_the_operators_text_and_of_keras():
    """https://onnx.ai/onnx/operators/onnx__LSTM.html: W[iofc], P[iof]; GRU: W[zrh]."""
    assert gates.ONNX == {4: "iofg", 3: "zrn", 1: "h"} and gates.ONNX_PEEPHOLES == "iof"
    assert gates.KERAS == {4: "ifgo", 3: "zrn", 1: "h"}


def test_blocks_come_back_from_another_order():
    array = np.arange(24.0).reshape(12, 2)
    there = gates.reorder(array, "ifgo", "iofg")
    assert there[3:6].tolist() == array[9:].tolist()
    assert np.array_equal(gates.reorder(there, "iofg", "ifgo"), array)


@pytest.mark.parametrize("shape", [(4,), (3, 4, 1), (3, 0), (3, 5)])
def test_a_shape_that_does_not_fit_names_the_array(shape):
    with pytest.raises(ValueError, match=r"^W: expected shape \(I, 4\), got \("):
        gates.check_shape("W", np.empty(shape), ("I", 4))


def test_words_stand_for_any_length_but_0():
    gates.check_shape("W", np.empty((2, 4)), ("I", 4))
    with pytest.raises(ValueError, match=r"^W: expected shape \(I,\), got \(0,\)"):
        gates.check_shape("W", np.empty(0), ("I",))
