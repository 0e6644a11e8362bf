"""Packing: the layout that the documentation draws, and exact inverses."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.kernels import pack
from numba_lstm.simd import PANEL, STRIP, TARGET

SIZES = [1, 2, 7, 8, 16, 17, 33, 64, 65, 70, 129]
DTYPES = ["f4", "f8"]


def lanes(dtype):
    return TARGET.lanes(np.dtype(dtype).itemsize)


def source_rows(gates, order, hidden, v):
    """W's row for each packed column, or -1: the module's docstring, word by word."""
    vectors = len(order) * -(-hidden // v)
    rows = []
    for n in range(-(-vectors // PANEL) * PANEL):
        gate, unit = order[n % len(order)], n // len(order) * v
        real = [u < hidden and gate >= 0 for u in range(unit, unit + v)]
        rows += [gate * hidden + unit + i if ok else -1 for i, ok in enumerate(real)]
    return np.array(rows)


def naive_rows(w, gates, order, v, strip):
    rows = source_rows(gates, order, len(w) // gates, v)
    if strip == 3:
        rows = rows[: 3 * -(-len(w) // gates // v) * v]
    columns = np.where((rows >= 0)[:, None], w[rows], 0)  # (strips·strip·V, K)
    return columns.reshape(-1, strip * v, w.shape[1]).swapaxes(1, 2)


def naive_columns(w, gates, order, count, v):
    rows = source_rows(gates, order, len(w) // gates, v)[:count]
    w = np.where((rows >= 0)[:, None], w[rows], 0)
    panel, width = PANEL * v, STRIP * v
    padded = np.zeros((len(w), -(-w.shape[1] // panel) * panel), w.dtype)
    padded[:, : w.shape[1]] = w
    return padded.reshape(len(w), -1, width).swapaxes(0, 1)


# Gates in the weights' rows, and the gate in each of a unit's vectors: a matrix, an LSTM, and both
# of a GRU's, in rows and in columns.
ORDERS = [(1, [0]), (4, [0, 1, 2, 3]), (3, [2, 0, 1, -1]), (3, [-1, 0, 1, 2]), (3, [2, 0, 1])]


def strips(order):
    """The widths that weights of this order may be packed in; gradients are in whole panels."""
    return [3] if len(order) == 3 else [STRIP, PANEL]


def rows_shape(order, hidden, k, v, strip):
    return pack.packed_rows_shape(len(order), hidden, k, v, strip)


def columns_count(gates, order, hidden, v):
    return hidden if gates == 1 else len(order) * -(-hidden // v) * v


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gates, order", ORDERS)
def test_rows_and_columns_have_the_layout_that_is_drawn(rng, gates, order, dtype):
    v, slots = lanes(dtype), np.array(order)
    for hidden, k in zip(SIZES, rng.permutation(SIZES)):
        w = rng.standard_normal((gates * hidden, k)).astype(dtype)
        for strip in strips(order):
            out = np.full(rows_shape(order, hidden, k, v, strip), np.nan, dtype)
            pack.pack_rows(1, w, gates, slots, 0, out)
            assert np.array_equal(out, naive_rows(w, gates, order, v, strip)), (hidden, k, strip)
        count = columns_count(gates, order, hidden, v)
        out = np.full(pack.packed_columns_shape(count, k, v), np.nan, dtype)
        pack.pack_columns(1, w, gates, slots, out)
        assert np.array_equal(out, naive_columns(w, gates, order, count, v)), (hidden, k)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gates, order", ORDERS)
def test_unpacking_is_the_exact_inverse_and_adds_where_asked(rng, gates, order, dtype):
    v, slots = lanes(dtype), np.array(order)
    for hidden, k in zip(SIZES, rng.permutation(SIZES)):
        w = rng.standard_normal((gates * hidden, k)).astype(dtype)
        for strip in strips(order):
            packed = np.empty(rows_shape(order, hidden, k, v, strip), dtype)
            pack.pack_rows(1, w, gates, slots, 0, packed)
            back = np.full_like(w, np.nan)
            pack.unpack_rows(1, packed, gates, slots, 0, False, back)
            assert np.array_equal(back, w)
            pack.unpack_rows(1, packed, gates, slots, 0, True, back)
            assert np.array_equal(back, w + w)
        if gates == 1:
            packed = np.empty(pack.packed_columns_shape(hidden, k, v), dtype)
            pack.pack_columns(1, w, 1, slots, packed)
            back = np.full_like(w, np.nan)
            pack.unpack_columns(1, packed, False, back)
            assert np.array_equal(back, w)
            pack.unpack_columns(1, packed, True, back)
            assert np.array_equal(back, w + w)


LSTM = np.arange(4)


def test_two_matrices_may_stand_above_each_other(rng):
    v, hidden = lanes("f4"), 35
    one, two = (rng.standard_normal((4 * hidden, k)).astype("f4") for k in (3, 9))
    out = np.full(pack.packed_rows_shape(4, hidden, 12, v), np.nan, "f4")
    pack.pack_rows(1, one, 4, LSTM, 0, out)
    assert np.isnan(out[:, 3:]).all()
    pack.pack_rows(1, two, 4, LSTM, 3, out)
    assert np.array_equal(out, naive_rows(np.concatenate([one, two], 1), 4, LSTM, v, STRIP))
    for w, k0 in ((one, 0), (two, 3)):
        back = np.full_like(w, np.nan)
        pack.unpack_rows(1, out, 4, LSTM, k0, False, back)
        assert np.array_equal(back, w)


@pytest.mark.parametrize("gates, order", ORDERS)
def test_a_bias_is_packed_in_the_order_of_the_rows_and_back(rng, gates, order):
    slots = np.array(order)
    for dtype in DTYPES:
        v = lanes(dtype)
        for hidden in SIZES:
            bias = rng.standard_normal(gates * hidden).astype(dtype)
            packed = pack.pack_bias(bias, gates, slots, v)
            assert packed.dtype == dtype
            assert np.array_equal(packed, naive_rows(bias[:, None], gates, order, v, PANEL)[:, 0])
            assert np.array_equal(pack.unpack_bias(packed, gates, hidden, slots, v), bias)


def test_two_threads_pack_the_same(rng):
    v, gates, hidden, k = lanes("f4"), 4, 37, 50
    w = rng.standard_normal((gates * hidden, k)).astype("f4")
    count = columns_count(gates, LSTM, hidden, v)
    results = []
    for nt in (1, 2):
        rows = np.full(pack.packed_rows_shape(gates, hidden, k, v), np.nan, "f4")
        columns = np.full(pack.packed_columns_shape(count, k, v), np.nan, "f4")
        plain = np.full(pack.packed_columns_shape(len(w), k, v), np.nan, "f4")
        back, back_columns = np.empty_like(w), np.empty_like(w)
        pack.pack_rows(nt, w, gates, LSTM, 0, rows)
        pack.pack_columns(nt, w, gates, LSTM, columns)
        pack.pack_columns(nt, w, 1, pack.PLAIN, plain)
        pack.unpack_rows(nt, rows, gates, LSTM, 0, False, back)
        pack.unpack_columns(nt, plain, False, back_columns)
        results.append((rows, columns, plain, back, back_columns))
    for one, two in zip(*results):
        assert np.array_equal(one, two)


def test_constants_of_a_vector_of_units_stand_beside_each_other(rng):
    for dtype in DTYPES:
        v = lanes(dtype)
        for hidden in SIZES:
            constants = rng.standard_normal((3, hidden)).astype(dtype)
            padded = -(-hidden // v) * v + v
            packed = pack.pack_constants(constants, padded, v)
            assert packed.shape == (padded // v, 3 * v) and packed.dtype == dtype
            assert packed.flags.carray
            for n in range(padded // v):
                for k in range(3):
                    expected = np.zeros(v, dtype)
                    real = constants[k, n * v : (n + 1) * v]
                    expected[: real.size] = real
                    assert np.array_equal(packed[n, k * v : (k + 1) * v], expected)
