"""Packed copies of weights: made once, never stale, whichever parameter is written or exchanged."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from family_tool import MODULES, draw, given, ours
from lstm_tool import assert_same_bits

from numba_lstm import nn
from numba_lstm.kernels import pack
from numba_lstm.parameters import packed
from numba_lstm.recurrent import operands
from numba_lstm.simd import PANEL

KINDS = {**MODULES, "lstm-peepholes": lambda *a, **k: nn.LSTM(*a, peepholes=True, cell_clip=1, **k)}
# Of each form of a step; the others would take as long and find the same.
FORMS = ["lstm", "lstm-projected", "gru-before", "lstm-normalised", "gru-normalised"]


def twin(make, module):
    """A module of the same parameters that has packed nothing yet."""
    fresh = make(3, 5, bidirectional=True)
    fresh.load_state_dict(module.state_dict())
    return fresh


def weights_of(kind, **options):
    return KINDS[kind](3, 5, seed=0, **options).weights()[0]


@pytest.mark.parametrize("kind", FORMS)
def test_copies_are_made_once_and_never_stale(rng, monkeypatch, kind):
    module = KINDS[kind](3, 5, bidirectional=True, seed=0)
    case = draw(rng, module, 2, 2)
    ours(module, case)
    made = []
    spies = vars(pack).copy()  # of these two alone: others pack what is no parameter
    for name in ("pack_rows", "pack_columns", "pack_bias", "pack_constants"):
        spies[name] = lambda *a, f=spies[name], n=name: (made.append(n), f(*a))[1]
    for room in (packed, operands):
        monkeypatch.setattr(room, "pack", SimpleNamespace(**spies))
    ours(module, case)
    module(case.x)
    assert made == []
    for name, p in list(module.named_parameters()):
        p[...] = p.numpy() + 0.25
        fresh = twin(KINDS[kind], module)
        # Inference first: it may not be what packs anew for training.
        about = case.x, given(case.states)
        assert np.array_equal(module(*about)[0], fresh(*about)[0]), name
        assert_same_bits(ours(module, case), ours(fresh, case), name)
    assert made != []
    with module.weight_hh_l0.mutate() as values:
        values *= 2
    assert_same_bits(ours(module, case), ours(twin(KINDS[kind], module), case))


@pytest.mark.parametrize("kind", FORMS)
def test_an_exchanged_parameter_is_packed(rng, kind):
    module = KINDS[kind](3, 5, bidirectional=True, seed=0)
    case = draw(rng, module, 2, 2)
    ours(module, case)
    for name, p in list(module.named_parameters()):
        setattr(module, name, nn.Parameter(p.numpy() - 0.25))
        fresh = twin(KINDS[kind], module)
        assert_same_bits(ours(module, case), ours(fresh, case), name)


def test_of_two_parameters_either_may_be_written_or_another():
    w = weights_of("lstm")
    other = nn.Parameter(w.w_hh.numpy() + 1)
    both = w.with_w_hh(other)
    for some in (w, both, w):  # in turn, as with two masks of weight dropout
        found = operands.packed_weights(some)
        expected = np.empty_like(found)
        for p, order, k0 in ((w.w_ih, w.cell.x_order, 0), (some.w_hh, w.cell.h_order, w.inputs)):
            pack.pack_rows(1, p.numpy(), w.cell.gates, order, k0, expected)
        assert np.array_equal(found, expected)
        assert operands.packed_weights(some) is found
        if some is both:
            other[...] = 7
            assert (operands.packed_weights(both)[0, w.inputs, 0] == 7).all()


def test_the_sum_of_biases_is_in_the_order_of_the_slots():
    for kind, slots in (("gru", [[0, 1, 2, -1], [-1, 0, 1, 2]]), ("gru-before", [[2, 0, 1, -1]])):
        w = weights_of(kind)
        hidden, v = w.hidden, w.lanes
        w.b_ih[...], w.b_hh[...] = np.arange(1, 16), 100 * np.arange(1, 16)
        found = operands.packed_bias(w).reshape(PANEL, v)
        assert not found[:, hidden:].any()
        parts = np.zeros((PANEL, hidden))
        for order, b in zip((w.cell.x_order, slots[-1]), (w.b_ih, w.b_hh)):
            for slot, gate in enumerate(order):
                if gate >= 0:
                    parts[slot] += b.numpy().reshape(3, hidden)[gate]
        assert np.array_equal(found[:, :hidden], parts)
        without = weights_of(kind, bias=False)
        assert not operands.packed_bias(without).any()
        assert operands.packed_bias(without).shape == operands.packed_bias(w).shape


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_biases_whose_sum_overflows_raise_nothing(kind):
    module = MODULES[kind](3, 5, seed=0)
    module.bias_ih_l0[...] = module.bias_hh_l0[...] = 3e38
    with np.errstate(all="raise"):
        y, _ = module(np.ones((1, 1, 3), np.float32))
    assert (operands.packed_bias(module.weights()[0]) == np.inf).any() and np.isfinite(y).all()


def test_constants_are_weights_settings_or_gains_of_each_unit_and_padding_has_none():
    assert operands.packed_constants(weights_of("lstm")).shape == (0, 0)
    w = weights_of("lstm-peepholes")
    numbers = operands.packed_constants(w).reshape(6, w.lanes)
    assert np.array_equal(numbers[:3, :5].ravel(), w.w_unit.numpy())
    assert (numbers[3, :5] == 1).all() and not numbers[:, 5:].any()
    w = weights_of("gru-normalised")
    w.ln_ih[...], w.ln_hh[...] = np.arange(1, 16), -np.arange(1, 16)
    numbers = operands.packed_constants(w).reshape(10, w.lanes)
    gates = np.arange(1, 16).reshape(3, 5)
    assert np.array_equal(numbers[:4, :5], [*gates[[2, 0, 1]], np.zeros(5)])
    assert np.array_equal(numbers[4:8, :5], [np.zeros(5), *-gates])
    assert not numbers[8:].any() and not numbers[:, 5:].any()
    w = weights_of("lstm-normalised")
    w.ln_c[...], w.b_ln_c[...] = 2, 3
    numbers = operands.packed_constants(w).reshape(10, w.lanes)
    assert np.array_equal(numbers[8:, 0], [2, 3]) and not numbers[:, 5:].any()


def test_operands_are_those_of_now():
    w = weights_of("lstm-peepholes")
    first = operands.operands(w)
    assert operands.operands(w) is first
    w.b_hh[...] = w.b_hh.numpy() + 1
    second = operands.operands(w)
    assert second[0] > first[0] and second[1] is first[1] and second[3] is first[3]
    assert not np.array_equal(second[2], first[2])
    assert second[2] is operands.packed_bias(w)


def test_operands_of_dz_are_those_of_now():
    w, other = weights_of("lstm"), nn.Parameter(np.zeros(1))
    for columns, p in ((operands.w_ih_columns, w.w_ih), (operands.w_hh_columns, w.w_hh)):
        first = columns(w)
        assert columns(w) is first
        other[...] = 1  # a new epoch, but another parameter
        assert columns(w) is first
        p[...] = 2
        assert set(columns(w).reshape(-1)) == {0, 2}
