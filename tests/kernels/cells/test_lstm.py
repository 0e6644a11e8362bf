"""An LSTM's gates on vectors: the reference's step, forward and backward, in place."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.jit import driver
from numba_lstm.kernels.cells.lstm import gates_backward, gates_forward
from numba_lstm.reference.lstm import lstm_cell_backward, lstm_cell_forward
from numba_lstm.simd import TARGET, at, load, store

BOUND = {"f4": 1e-6, "f8": 1e-14}


@driver
def _forward(crew, nt, z, c_prev, c, h, gates):
    """Rows of one vector of units: z (n, 4·V), the others (n, V)."""
    for _ in range(nt):
        for r in range(z.shape[0]):
            state, out = gates_forward(
                at(z, (r, 0)), load(at(c_prev, (r, 0)), 0), True, at(gates, (r, 0))
            )
            store(at(c, (r, 0)), 0, state)
            store(at(h, (r, 0)), 0, out)


@driver
def _backward(crew, nt, gates, dh, c_prev, dc):
    for _ in range(nt):
        for r in range(gates.shape[0]):
            d_state = gates_backward(
                at(gates, (r, 0)),
                load(at(dh, (r, 0)), 0),
                load(at(c_prev, (r, 0)), 0),
                load(at(dc, (r, 0)), 0),
            )
            store(at(dc, (r, 0)), 0, d_state)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_step_and_its_gradient_equal_the_references(rng, dtype):
    v, n = TARGET.lanes(np.dtype(dtype).itemsize), 50
    z = (3 * rng.standard_normal((n, 4 * v))).astype(dtype)
    c_prev, dh, dc = (rng.standard_normal((n, v)).astype(dtype) for _ in range(3))
    c, h, gates = np.empty((n, v), dtype), np.empty((n, v), dtype), np.empty((n, 4 * v), dtype)
    _forward(1, z, c_prev, c, h, gates)

    # With x = z, weights of ones on the diagonal and none from h, the cell's z is x.
    weights = np.eye(4 * v), np.zeros((4 * v, v))
    expected = lstm_cell_forward(z.astype("f8"), h, c_prev.astype("f8"), *weights)
    for found, value in zip((h, c, gates), expected):
        assert_close(found, value, BOUND[dtype])

    dz, dc_prev = lstm_cell_backward(*(a.astype("f8") for a in (dh, dc, gates, c, c_prev)))
    _backward(1, gates, dh, c_prev, dc)
    for name, (found, value) in {"dz": (gates, dz), "dc": (dc, dc_prev)}.items():
        assert_close(found, value, BOUND[dtype], name)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_units_of_padding_stay_exactly_zero(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    z, zero = np.zeros((1, 4 * v), dtype), np.zeros((1, v), dtype)
    c, h, gates = np.ones((1, v), dtype), np.ones((1, v), dtype), np.empty((1, 4 * v), dtype)
    _forward(1, z, zero, c, h, gates)
    assert not c.any() and not h.any()
    dc = zero.copy()
    _backward(1, gates, zero, zero, dc)
    assert not gates.any() and not dc.any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_saturated_gates_give_limits_and_nan_stays_nan(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    big = np.array([1e4, -1e4, np.inf, -np.inf, np.nan], dtype)
    z = np.repeat(big[:, None], 4 * v, 1)
    c_prev = np.full((5, v), 0.5, dtype)
    c, h, gates = np.empty((5, v), dtype), np.empty((5, v), dtype), np.empty((5, 4 * v), dtype)
    _forward(1, z, c_prev, c, h, gates)
    assert_close(c[[0, 2]], np.full((2, v), 1.5), 1e-7)
    assert_close(h[[0, 2]], np.full((2, v), np.tanh(1.5)), 1e-7)
    assert np.abs(c[[1, 3]]).max() < 1e-30 and np.abs(h[[1, 3]]).max() < 1e-30
    assert np.isnan(h[4]).all() and np.isnan(c[4]).all()
