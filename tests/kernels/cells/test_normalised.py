"""Layer-normalised cells' gates on vectors: what is not normalised in them, and their groups."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.jit import driver
from numba_lstm.kernels.cells.lstm import open_gates
from numba_lstm.kernels.cells.normalised import NORMALISED_GRU, NORMALISED_LSTM, gates_backward
from numba_lstm.simd import TARGET, at, load, store

BOUND = {"f4": 1e-6, "f8": 1e-14}


@driver
def _forward(crew, nt, z, c_prev, c, o, saved):
    """Rows of one vector of units: z (n, 4·V), the others (n, V)."""
    for _ in range(nt):
        for r in range(z.shape[0]):
            prev = load(at(c_prev, (r, 0)), 0)
            state, out = open_gates(at(z, (r, 0)), prev, True, at(saved, (r, 0)))
            store(at(c, (r, 0)), 0, state)
            store(at(o, (r, 0)), 0, out)


@driver
def _backward(crew, nt, saved, do, c_prev, dc):
    for _ in range(nt):
        for r in range(saved.shape[0]):
            out, prev = load(at(do, (r, 0)), 0), load(at(c_prev, (r, 0)), 0)
            d = gates_backward(at(saved, (r, 0)), out, prev, load(at(dc, (r, 0)), 0))
            store(at(dc, (r, 0)), 0, d)


def step(z, c_prev):
    """c_t and o from the four parts of z."""
    i, f, o = (1 / (1 + np.exp(-z[k])) for k in (0, 1, 3))
    return f * c_prev + i * np.tanh(z[2]), o


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_step_is_the_equations_and_its_gradient_a_complex_steps(rng, dtype):
    v, n = TARGET.lanes(np.dtype(dtype).itemsize), 50
    z = (2 * rng.standard_normal((n, 4 * v))).astype(dtype)
    c_prev, do, dc = (rng.standard_normal((n, v)).astype(dtype) for _ in range(3))
    c, o, saved = np.empty_like(c_prev), np.empty_like(c_prev), np.empty_like(z)
    _forward(1, z, c_prev, c, o, saved)
    parts, wide = z.astype("f8").reshape(n, 4, v).swapaxes(0, 1), c_prev.astype("f8")
    for found, value in zip((c, o), step(parts, wide)):
        assert_close(found, value, BOUND[dtype])
    # o stands where the last phase looks for it.
    assert np.array_equal(saved[:, 3 * v :], o)

    def gradient(moved, prev):
        state, out = step(moved, prev)
        return (np.imag(state) * dc0 + np.imag(out) * do) * 1e200

    dc0 = dc.astype("f8")
    _backward(1, saved, do, c_prev, dc)
    for k in range(4):
        moved = [part + 1e-200j * (j == k) for j, part in enumerate(parts)]
        found = saved[:, k * v : (k + 1) * v]
        assert_close(found, gradient(moved, wide), BOUND[dtype], f"vector {k}")
    assert_close(dc, gradient(parts, wide + 1e-200j), BOUND[dtype], "c_prev")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_units_of_padding_stay_exactly_zero(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    z, zero = np.zeros((1, 4 * v), dtype), np.zeros((1, v), dtype)
    c, o, saved = np.ones_like(zero), np.ones_like(zero), z.copy()
    _forward(1, z, zero, c, o, saved)
    assert not c.any()
    dc = zero.copy()
    _backward(1, saved, zero, zero, dc)
    assert not saved.any() and not dc.any()


def test_the_groups_are_the_papers():
    """All gates of the LSTM together (20); of the GRU r and z, and n apart, of x and of h."""
    for cell, expected in ((NORMALISED_LSTM, [[0, 1, 2, 3]]), (NORMALISED_GRU, [[0, 1], [2]])):
        for groups, order in zip(cell.groups, (cell.x_order, cell.h_order)):
            assert sorted(sorted(order[at : at + n]) for at, n in groups) == expected
