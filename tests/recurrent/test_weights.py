"""One direction's parameters: the sizes that follow from them, and their order."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES

from numba_lstm import nn
from numba_lstm.kernels import pack
from numba_lstm.recurrent.operands import packed_weights
from numba_lstm.recurrent.weights import Operands, Weights
from numba_lstm.simd import PANEL, TARGET


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", MODULES)
def test_sizes_follow_from_the_weights(kind, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    for hidden in (2, v, v + 1, 4 * v + 1):
        w = MODULES[kind](3, hidden, dtype=dtype, seed=0).weights()[0]
        gates = w.cell.gates
        assert w.w_ih.shape == (gates * hidden, 3) and w.w_hh.shape == (gates * hidden, w.size)
        assert (w.inputs, w.hidden, w.lanes) == (3, hidden, v)
        assert w.last_gate == (gates - 1) * hidden
        units = PANEL // w.cell.slots * v
        assert w.padded == w.panels * units and 0 <= w.padded - hidden < units
        assert w.padded_h >= w.size and w.padded_h % v == 0
        assert (w.w_hr is not None) == (w.size != hidden or kind == "lstm-projected")
        strips, rows, width = packed_weights(w).shape
        assert (w.row_items, rows) == (strips * width, 3 + w.size)
        assert w.step_flops(5, 3) == 2 * 5 * strips * width * rows


@pytest.mark.parametrize("hidden", [5, 16, 35])
def test_biases_stand_at_their_places_of_a_packed_row(hidden):
    for kind in ("lstm", "gru", "gru-before", "rnn-relu"):
        w = MODULES[kind](3, hidden, seed=0).weights()[0]
        for places, order in zip(w.bias_places, (w.cell.x_order, w.cell.bias_order)):
            bias = np.arange(1, w.b_ih.size + 1)
            packed = pack.pack_bias(bias, w.cell.gates, order, w.lanes).reshape(-1)
            assert np.array_equal(packed[places], bias) and np.count_nonzero(packed) == bias.size
        same = np.array_equal(w.cell.x_order, w.cell.bias_order)
        assert (w.bias_places[0] is w.bias_places[1]) == same


@pytest.mark.parametrize("kind", MODULES)
def test_parameters_are_those_of_the_module_in_its_order(kind):
    module = MODULES[kind](3, 5, bidirectional=True, seed=0)
    found = [p for w in module.weights() for p in w.parameters if p is not None]
    assert list(map(id, found)) == list(map(id, module.parameters()))


@pytest.mark.parametrize("kind", [*MODULES, "lstm-options"])
def test_with_other_recurrent_weights_everything_else_stays(kind):
    make = MODULES.get(kind, lambda *a, **k: nn.LSTM(*a, peepholes=True, cell_clip=2.0, **k))
    w = make(3, 5, seed=0).weights()[0]
    other = nn.Parameter(w.w_hh.numpy() * 2)
    w.operands = Operands(10**9, None, None, None)
    found = w.with_w_hh(other)
    assert isinstance(found, Weights) and found.w_hh is other
    first, _, *rest = w.parameters
    again, _, *others = found.parameters
    assert again is first and all(one is two for one, two in zip(rest, others, strict=True))
    assert found.cell is w.cell and found.settings == w.settings
    assert found.operands is None  # nothing packed is taken along
    assert found.plans is w.plans  # they follow from sizes
