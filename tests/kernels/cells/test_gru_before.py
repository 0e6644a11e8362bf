"""A GRU's gates with the reset gate before the product, on vectors: the equations, both phases."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close

from numba_lstm.jit import driver
from numba_lstm.kernels.cells.gru_before import (
    finish_backward,
    finish_forward,
    gates_backward,
    gates_forward,
)
from numba_lstm.simd import TARGET, at, load, store

BOUND = {"f4": 2e-6, "f8": 1e-14}


@driver
def _forward(crew, nt, z, x, h_prev, save, r_gate, h, saved):
    """Rows of one vector of units: z (n, 4·V), x the second product, the others (n, V)."""
    for _ in range(nt):
        for r in range(z.shape[0]):
            place, prev = at(saved, (r, 0)), load(at(h_prev, (r, 0)), 0)
            factor, _again = gates_forward(at(z, (r, 0)), prev, save, place)
            store(at(r_gate, (r, 0)), 0, factor)
            new = finish_forward(load(at(x, (r, 0)), 0), prev, save, place)
            store(at(h, (r, 0)), 0, new)


@driver
def _backward(crew, nt, saved, dh, h_prev, d_state, dm, h_in, d_in):
    """In place of d_state what goes to h_prev past the products; in d_in what goes to h_in."""
    for _ in range(nt):
        for r in range(saved.shape[0]):
            place = at(saved, (r, 0))
            d_prev = gates_backward(
                place,
                load(at(dh, (r, 0)), 0),
                load(at(h_prev, (r, 0)), 0),
                load(at(d_state, (r, 0)), 0),
            )
            store(at(d_state, (r, 0)), 0, d_prev)
            by_r = finish_backward(place, load(at(dm, (r, 0)), 0), load(at(h_in, (r, 0)), 0))
            store(at(d_in, (r, 0)), 0, by_r)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(x_n, a_z, h_n, h_prev):
    """The equations of the module's docstring, from the second product h_n on."""
    update = sigmoid(a_z)
    return (1 - update) * np.tanh(x_n + h_n) + update * h_prev


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_step_is_the_equations_and_its_gradient_a_complex_steps(rng, dtype):
    v, n = TARGET.lanes(np.dtype(dtype).itemsize), 50
    z = (2 * rng.standard_normal((n, 4 * v))).astype(dtype)
    # h_in is h_prev times a mask: another number.
    x, h_prev, dh, d_state, dm, h_in = (
        rng.standard_normal((n, v)).astype(dtype) for _ in range(6)
    )  # fmt: skip
    x_n, a_r, a_z = (z[:, k * v : (k + 1) * v].astype("f8") for k in range(3))
    wide = x.astype("f8"), h_prev.astype("f8")
    found = []
    for save in (False, True):
        r_gate, h, saved = np.empty_like(x), np.empty_like(x), np.empty_like(z)
        _forward(1, z, x, h_prev, save, r_gate, h, saved)
        assert_close(r_gate, sigmoid(a_r), BOUND[dtype], "r")
        assert_close(h, step(x_n, a_z, *wide), BOUND[dtype], "h")
        found.append(h)
    assert np.array_equal(*found)
    assert_close(saved[:, :v], np.tanh(x_n + wide[0]), BOUND[dtype], "n")
    assert np.array_equal(saved[:, v : 2 * v], r_gate)

    d_in = np.empty_like(x)
    total = (dh.astype("f8") + d_state) * 1e200
    _backward(1, saved, dh, h_prev, d_state, dm, h_in, d_in)
    for name, value, expected in (
        ("x_n", saved[:, :v], np.imag(step(x_n + 1e-200j, a_z, *wide)) * total),
        ("z", saved[:, 2 * v : 3 * v], np.imag(step(x_n, a_z + 1e-200j, *wide)) * total),
        ("h_prev", d_state, np.imag(step(x_n, a_z, wide[0], wide[1] + 1e-200j)) * total),
        ("r", saved[:, v : 2 * v], np.imag(sigmoid(a_r + 1e-200j)) * 1e200 * dm * h_in),
        ("h_in", d_in, sigmoid(a_r) * dm),
    ):
        assert_close(value, expected, BOUND[dtype], name)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_units_of_padding_stay_exactly_zero(dtype):
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    z, zero = np.zeros((1, 4 * v), dtype), np.zeros((1, v), dtype)
    r_gate, h, saved, d_in = np.ones_like(zero), np.ones_like(zero), z.copy(), np.ones_like(zero)
    _forward(1, z, zero, zero, True, r_gate, h, saved)
    assert not h.any() and not (r_gate * zero).any()
    d_state = zero.copy()
    _backward(1, saved, zero, zero, d_state, zero, zero, d_in)
    assert not saved.any() and not d_state.any() and not d_in.any()
