"""The gates of a plain recurrent cell on vectors: the equations, forward and backward, in place."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.jit import named_driver
from numba_lstm.kernels.cells import rnn
from numba_lstm.simd import TARGET, at, load, store

BOUND = {"f4": 2e-6, "f8": 1e-14}


def drivers(kind, forward, backward):
    """Drivers that run the gates on each row of z: into h and `saved`, and dh into `saved`."""

    @named_driver(f"rnn_{kind}_rows_forward")
    def run_forward(crew, nt, z, h, saved):
        for _ in range(nt):
            for r in range(z.shape[0]):
                here = at(z, (r, 0))
                state, out = forward(here, load(here, 0), True, at(saved, (r, 0)))
                store(at(h, (r, 0)), 0, out)
                store(here, 0, state)

    @named_driver(f"rnn_{kind}_rows_backward")
    def run_backward(crew, nt, saved, dh, d_state):
        for _ in range(nt):
            for r in range(saved.shape[0]):
                d, past = load(at(dh, (r, 0)), 0), at(d_state, (r, 0))
                store(past, 0, backward(at(saved, (r, 0)), d, d, load(past, 0)))

    return run_forward, run_backward


TANH = drivers("tanh", rnn.tanh_forward, rnn.tanh_backward)
RELU = drivers("relu", rnn.relu_forward, rnn.relu_backward)


def run(both, z, dh):
    """h, dz, and what is handed on past z, for which 3 comes in."""
    state, h, saved, d_state = z.copy(), np.empty_like(z), np.empty_like(z), np.full_like(z, 3)
    both[0](1, state, h, saved)
    assert np.array_equal(state, h, equal_nan=True) and np.array_equal(saved, h, equal_nan=True)
    both[1](1, saved, dh, d_state)
    return h, saved, d_state


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_tanh_step_is_the_equations(rng, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    z, dh = ((2 * rng.standard_normal((50, v))).astype(dtype) for _ in range(2))
    h, dz, past = run(TANH, z, dh)
    expected = np.tanh(z.astype("f8"))
    assert_close(h, expected, BOUND[dtype])
    assert_close(dz, dh * (1 - expected**2), BOUND[dtype])
    assert (past == 3).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_relu_step_is_the_equations_exactly_and_nan_stays_nan(rng, dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    z, dh = (rng.standard_normal((50, v)).astype(dtype) for _ in range(2))
    z[0], z[1, 0], z[1, 1] = 0, np.nan, np.inf
    h, dz, past = run(RELU, z, dh)
    assert np.array_equal(h, np.maximum(z, 0), equal_nan=True)
    known = ~np.isnan(z)
    assert np.array_equal(dz[known], np.where(z > 0, dh, 0)[known]) and not dz[0].any()
    assert (past == 3).all()
