"""Where rows of states stand: what passes a reset, zoneout, rows that end within a vector."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from numba_lstm.jit import driver
from numba_lstm.kernels.loops.arguments import ForwardRows
from numba_lstm.kernels.loops.states import (
    after_zoneout,
    copy,
    load_unit,
    previous_h,
    put_h,
    put_state,
    rows_in_step,
    store_unit,
    unless_reset,
)
from numba_lstm.simd import TARGET, at, load, store

DTYPES = ["f4", "f8"]


def width(dtype):
    return TARGET.lanes(np.dtype(dtype).itemsize)


@driver
def _kept(crew, nt, x, keep, out):
    for _ in range(nt):
        for r in range(x.shape[0]):
            store(at(out, (r, 0)), 0, unless_reset(load(at(x, (r, 0)), 0), keep, r))


@driver
def _zoned(crew, nt, new, old, zone, unit, out):
    for _ in range(nt):
        for r in range(new.shape[0]):
            x, y = load(at(new, (r, 0)), 0), load(at(old, (r, 0)), 0)
            store(at(out, (r, 0)), 0, after_zoneout(x, y, zone, r, unit))


@driver
def _through(crew, nt, source, target, row, column, size, vectors, seen):
    """A row's units from `source` to `target` and, whole vectors, to `seen`."""
    for _ in range(nt):
        for n in range(vectors):
            unit = n * seen.shape[1]
            x = load_unit(source, row, column, unit, size)
            store(at(seen, (n, 0)), 0, x)
            store_unit(x + 1.0, target, row, column, unit, size)


@driver
def _copied(crew, nt, source, target, n):
    for _ in range(nt):
        copy(at(source, (0,)), at(target, (0,)), n)


@driver
def _active(crew, nt, offsets, out):
    for _ in range(nt):
        for t in range(out.size):
            out[t] = rows_in_step(offsets, t - 1)


class Some(NamedTuple):
    """What `previous_h`, `put_h` and `put_state` look at of a `arguments.ForwardArguments`."""

    masked: bool
    size: int
    h_column: int
    has_initial: bool
    h0: Any
    u: Any
    gate_state: Any
    y: Any
    y_column: int
    bias: Any
    keep: Any
    drop: Any
    zone_h: Any
    zone_c: Any
    fresh: Any


@driver
def _previous(crew, nt, a, s, out):
    for _ in range(nt):
        for r in range(out.shape[0]):
            store(at(out, (r, 0)), 0, previous_h(a, s, r, 0))


@driver
def _put(crew, nt, a, s, prev, state, h):
    for _ in range(nt):
        for r in range(h.shape[0]):
            old, new = load(at(prev, (r, 0)), 0), load(at(state, (r, 0)), 0)
            put_state(old, new, a, s, r, 0)
            put_h(2, load(at(h, (r, 0)), 0), a, s, r, 0)


def some(dtype, rows, **given):
    """A layer of one vector of units, two rows a step, of which step 1 of 3 is looked at."""
    v = width(dtype)
    none = np.empty((0, 0), dtype)
    a = Some(
        False, v - 1, 1, True, np.full((2, v - 1), 7, dtype), np.full((rows, v + 1), -1, dtype),
        np.full((rows, v), -1, dtype), np.full((rows, v + 1), -1, dtype), 2,
        np.zeros((1, 4 * v), dtype), none.reshape(-1), none, none, none, none,
    )  # fmt: skip
    return a._replace(**given)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_passes_a_reset_not_even_nan(dtype):
    x = np.full((3, width(dtype)), np.nan, dtype)
    x[2] = np.arange(1, width(dtype) + 1)
    out = np.ones_like(x)
    _kept(1, x, np.array([0, 1, 1], dtype), out)
    assert np.array_equal(out[0], np.zeros_like(out[0]))
    assert np.isnan(out[1]).all() and np.array_equal(out[2], x[2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_zoneout_of_all_and_of_nothing_is_exact(rng, dtype):
    v = width(dtype)
    new, old = (rng.standard_normal((3, v)).astype(dtype) for _ in range(2))
    zone = np.repeat(np.array([[0], [1], [0.25]], dtype), v, axis=1)
    out = np.empty_like(new)
    _zoned(1, new, old, zone, 0, out)
    assert np.array_equal(out[0], new[0]) and np.array_equal(out[1], old[1])
    expected = 0.25 * old[2].astype("f8") + 0.75 * new[2]
    np.testing.assert_allclose(out[2], expected, rtol=4 * np.finfo(dtype).eps, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_row_of_zoneout_is_that_of_all_rows_and_units_past_h_have_none(rng, dtype):
    v = width(dtype)
    new, old = (rng.standard_normal((3, v)).astype(dtype) for _ in range(2))
    zone = np.ones((1, v + 1), dtype)
    out = np.empty_like(new)
    _zoned(1, new, old, zone, 0, out)
    assert np.array_equal(out, old)
    _zoned(1, new, old, zone, v, out)  # the second vector has one unit
    assert np.array_equal(out[:, 0], old[:, 0]) and np.array_equal(out[:, 1:], new[:, 1:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_past_a_rows_end_are_zeros_and_their_memory_is_left(dtype):
    v = width(dtype)
    for size in (1, v - 1, v, v + 1, 2 * v):
        for column in (0, 3):
            source = np.full((3, size + 5), np.nan, dtype)
            target = np.full_like(source, -1)
            inside = np.arange(1, size + 1, dtype=dtype)
            source[1, column : column + size] = inside
            seen = np.full((4, v), np.nan, dtype)  # as many as two vectors past the end
            _through(1, source, target, 1, column, size, 4, seen)
            assert np.array_equal(seen.ravel()[:size], inside)
            assert not seen.ravel()[size:].any()
            assert np.array_equal(target[1, column : column + size], inside + 1)
            target[1, column : column + size] = -1
            assert (target == -1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_copy_is_of_so_many_items_and_no_more(dtype):
    source = np.arange(1, 100, dtype=dtype)
    for n in range(2 * width(dtype) + 2):
        target = np.zeros_like(source)
        _copied(1, source, target, n)
        assert np.array_equal(target[:n], source[:n]) and not target[n:].any()


def test_no_rows_run_before_the_first_and_after_the_last_step():
    out = np.full(5, -1)
    _active(1, np.array([0, 3, 5, 6]), out)
    assert out.tolist() == [0, 3, 2, 1, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_h_before_a_step_is_the_one_that_came_out_of_it(dtype):
    """Of a row that ran before in y, of one that begins in h0 or zero; zeros after a reset."""
    v = width(dtype)
    y = np.full((4, v + 1), np.nan, dtype)
    y[1, 2:] = 3  # step 0 had row 1 only as its first row, prev_row = 1
    s = ForwardRows(2, 0, 0, 0, 0, 0, 0, 0, prev_row=1, n_prev=1)
    for has_initial, keep, expected in (
        (True, [], (3, 7)), (False, [], (3, 0)),
        (True, [1, 1, 0, 1], (0, 7)), (True, [1, 1, 1, 0], (3, 0)),
    ):  # fmt: skip
        out = np.full((2, v), np.nan, dtype)
        a = some(dtype, 4, y=y, has_initial=has_initial, keep=np.array(keep, dtype))
        _previous(1, a, s, out)
        assert not out[:, v - 1 :].any()
        assert np.array_equal(out[:, : v - 1], np.repeat([expected], v - 1, axis=0).T)


@pytest.mark.parametrize("dtype", DTYPES)
def test_states_go_to_the_next_step_or_to_the_end(dtype):
    """Row 0 goes on and row 1 ends; masks of the next step are in u only, and only in row 0's."""
    v = width(dtype)
    s = ForwardRows(
        0, 0, after=2, end=4, next_row=2, n_next=1, z_row=0, workspace_row=0, prev_row=0, n_prev=0
    )
    prev, state, h = (np.full((2, v), value, dtype) for value in (1, 2, 3))
    zone, fresh = np.full((1, v), 0.5, dtype), np.full((2, v), -1, dtype)
    drop = np.full((2, v), 10, dtype)
    masks = {"masked": True, "zone_c": zone, "zone_h": zone, "fresh": fresh, "drop": drop}
    h_new = 0.5 * 7 + 0.5 * 3
    for given, c, y, u in (
        ({}, 2, 3, (3, 3)),
        (masks, 1.5, h_new, (10 * h_new, h_new)),
        (masks | {"keep": np.array([1, 1, 0, 0], dtype)}, 1.5, 1.5, (0, 1.5)),
    ):
        keep = given.get("keep")
        if keep is not None:
            keep[:2] = 0  # h_{t-1}, too, was reset
        a = some(dtype, 6, **given)
        _put(1, a, s, prev, state, h)
        assert (a.gate_state[[2, 4 + 1]] == c).all() and (a.gate_state[[0, 1, 3, 4]] == -1).all()
        assert (a.y[:2, 2:] == y).all() and (a.y[:, :2] == -1).all() and (a.y[2:] == -1).all()
        assert (a.u[[2, 5], 1:v] == np.array(u)[:, None]).all()
        assert (a.u[:, 0] == -1).all() and (a.u[[0, 1, 3, 4]] == -1).all()
    assert (fresh == 2).all()
