"""A GRU's gates on vectors: the equations, forward and backward, in place."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.jit import driver
from numba_lstm.kernels.cells.gru import gates_backward, gates_forward
from numba_lstm.simd import TARGET, at, load, store

BOUND = {"f4": 2e-6, "f8": 1e-14}


@driver
def _forward(crew, nt, z, h_prev, h, saved):
    for _ in range(nt):
        for r in range(z.shape[0]):
            state, out = gates_forward(
                at(z, (r, 0)), load(at(h_prev, (r, 0)), 0), True, at(saved, (r, 0))
            )
            store(at(h, (r, 0)), 0, out)
            store(at(z, (r, 0)), 0, state)


@driver
def _backward(crew, nt, saved, dh, h_prev, d_state):
    for _ in range(nt):
        for r in range(saved.shape[0]):
            d_prev = gates_backward(
                at(saved, (r, 0)),
                load(at(dh, (r, 0)), 0),
                load(at(h_prev, (r, 0)), 0),
                load(at(d_state, (r, 0)), 0),
            )
            store(at(d_state, (r, 0)), 0, d_prev)


def step(z, h_prev):
    """The equations of the module's docstring, on z's four parts."""
    x_n, a_r, a_z, h_n = z
    r, update = 1 / (1 + np.exp(-a_r)), 1 / (1 + np.exp(-a_z))
    return (1 - update) * np.tanh(x_n + r * h_n) + update * h_prev


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_step_is_the_equations_and_its_gradient_a_complex_steps(rng, dtype):
    v, n = TARGET.lanes(np.dtype(dtype).itemsize), 50
    z = (2 * rng.standard_normal((n, 4 * v))).astype(dtype)
    h_prev, dh, d_state = (rng.standard_normal((n, v)).astype(dtype) for _ in range(3))
    parts = [z[:, k * v : (k + 1) * v].astype("f8") for k in range(4)]
    wide = h_prev.astype("f8")
    h, saved, state = np.empty_like(h_prev), np.empty_like(z), z.copy()
    _forward(1, state, h_prev, h, saved)
    assert_close(h, step(parts, wide), BOUND[dtype])
    assert np.array_equal(state[:, :v], h)

    total = (dh.astype("f8") + d_state) * 1e200
    _backward(1, saved, dh, h_prev, d_state)
    for k in range(4):
        moved = [part + 1e-200j * (k == j) for j, part in enumerate(parts)]
        expected = np.imag(step(moved, wide)) * total
        assert_close(saved[:, k * v : (k + 1) * v], expected, BOUND[dtype], f"vector {k}")
    assert_close(d_state, np.imag(step(parts, wide + 1e-200j)) * total, BOUND[dtype], "h_prev")
