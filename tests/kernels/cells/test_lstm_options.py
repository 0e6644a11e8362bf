"""An LSTM's gates with ONNX's options on vectors: the reference's step, forward and backward."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.jit import driver
from numba_lstm.kernels import pack
from numba_lstm.kernels.cells.lstm_options import (
    gates_backward,
    gates_forward,
    peephole_gradient,
    settings,
)
from numba_lstm.reference.lstm_cell import LSTMCell
from numba_lstm.simd import TARGET, at, load, store

# Of float32 in the arguments, 5 at most, whose roundings the reference does not make.
BOUND = {"f4": 2e-6, "f8": 2e-14}
OPTIONS = list(itertools.product([None, 1.5], [False, True], [False, True]))


@driver
def _forward(crew, nt, z, c_prev, constants, c, h, gates):
    """Rows of one vector of units: z (n, 4·V), constants (1, 6·V), the others (n, V)."""
    for _ in range(nt):
        numbers = at(constants, (0, 0))
        for r in range(z.shape[0]):
            state, out = gates_forward(
                at(z, (r, 0)), load(at(c_prev, (r, 0)), 0), True, at(gates, (r, 0)), numbers
            )
            store(at(c, (r, 0)), 0, state)
            store(at(h, (r, 0)), 0, out)


@driver
def _backward(crew, nt, gates, dh, c_prev, constants, dc):
    for _ in range(nt):
        numbers = at(constants, (0, 0))
        for r in range(gates.shape[0]):
            d_state = gates_backward(
                at(gates, (r, 0)),
                load(at(dh, (r, 0)), 0),
                load(at(c_prev, (r, 0)), 0),
                load(at(dc, (r, 0)), 0),
                numbers,
            )
            store(at(dc, (r, 0)), 0, d_state)


def packed(weights, clip, coupled, v):
    rows = np.concatenate([weights.reshape(3, v), np.tile(settings(clip, coupled), (v, 1)).T])
    return pack.pack_constants(rows.astype(weights.dtype), v, v)


@pytest.mark.parametrize("clip, coupled, peepholes", OPTIONS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_step_and_its_gradient_equal_the_references(rng, dtype, clip, coupled, peepholes):
    v, n = TARGET.lanes(np.dtype(dtype).itemsize), 50
    z = (2 * rng.standard_normal((n, 4 * v))).astype(dtype)
    c_prev, dh, dc = (rng.standard_normal((n, v)).astype(dtype) for _ in range(3))
    weights = (peepholes * rng.standard_normal(3 * v)).astype(dtype)
    constants = packed(weights, clip, coupled, v)
    c, h, gates = np.empty((n, v), dtype), np.empty((n, v), dtype), np.empty((n, 4 * v), dtype)
    _forward(1, z, c_prev, constants, c, h, gates)

    cell, p = LSTMCell(clip, coupled), {"weight_peephole": weights.astype("f8")}
    saved = cell.gates_forward(p, z.astype("f8"), c_prev.astype("f8"))
    assert_close(c, saved.c, BOUND[dtype], "c")
    assert_close(h, saved.gates[:, 3 * v :] * saved.s, BOUND[dtype], "h")
    assert clip is None or not saved.slope.all()

    dp = {"weight_peephole": np.zeros(3 * v)}
    dz, dc_prev = cell.gates_backward(p, saved, dh.astype("f8"), dc.astype("f8"), dp)
    _backward(1, gates, dh, c_prev, constants, dc)
    assert_close(gates, dz, BOUND[dtype], "dz")
    assert_close(dc, dc_prev, BOUND[dtype], "dc")
    assert not gates[~saved.slope & (dz == 0)].any()

    # All rows in one step, whose states stand behind those that it read; where zoneout has left
    # others there, the gates' own are in `fresh`.
    states, out = np.concatenate([c_prev, c]), np.empty((3, v))
    zoned, none = np.concatenate([c_prev, np.full_like(c, np.nan)]), np.empty((0, 0), dtype)
    offsets, no_keep = np.array([0, n]), np.empty(0, dtype)
    for reverse in (False, True):
        for nt in (1, 2):
            for after, fresh in ((states, none), (zoned, c)):
                out[...] = np.nan
                about = offsets, reverse, no_keep, out
                peephole_gradient(nt, gates[None], after, fresh, *about)
                assert_close(out.ravel(), dp["weight_peephole"], BOUND[dtype], "dp")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_state_that_was_reset_reaches_no_gradient_not_even_nan(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    dz, states = np.ones((1, 2, 4 * v), dtype), np.full((4, v), 2, dtype)
    states[0] = np.nan
    no_rows, keep, out = np.empty((0, 0), dtype), np.array([0, 1], dtype), np.empty((3, v))
    peephole_gradient(1, dz, states, no_rows, np.array([0, 2]), False, keep, out)
    assert np.array_equal(out, np.repeat([[2], [2], [4]], v, axis=1))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_units_of_padding_stay_exactly_zero(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    z, zero = np.zeros((1, 4 * v), dtype), np.zeros((1, v), dtype)
    c, h, gates = np.ones((1, v), dtype), np.ones((1, v), dtype), np.empty((1, 4 * v), dtype)
    constants = np.zeros((1, 6 * v), dtype)  # a padding's bound is 0
    _forward(1, z, zero, constants, c, h, gates)
    assert not c.any() and not h.any()
    dc = zero.copy()
    _backward(1, gates, zero, zero, constants, dc)
    assert not gates.any() and not dc.any()


def test_settings_are_the_bound_its_tanh_and_the_coupling():
    assert settings(None, False) == (np.inf, 1.0, 0.0)
    assert settings(2.0, True) == (2.0, np.tanh(2.0), 1.0)
