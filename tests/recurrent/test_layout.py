"""A caller's sequences as rows, and back: every order of axes, with lengths and without."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.parameters.scratch import Lease
from numba_lstm.recurrent.layout import Layout

T, B = 4, 3


def layout_of(array, *, lengths=None, **options):
    module = nn.LSTM(2, 5, bidirectional=True, **options)
    return Layout(module, "x", array.shape, array.ndim == 3, lengths)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [None, [T, T, T], [2, 0, 4], [0, 0, 0]])
def test_rows_are_taken_step_after_step_and_put_back(rng, batch_first, lengths):
    by_time = rng.standard_normal((T, B, 2), dtype=np.float32)
    x = np.ascontiguousarray(by_time.swapaxes(0, 1)) if batch_first else by_time
    layout = layout_of(x, batch_first=batch_first, lengths=lengths)
    assert (layout.count, layout.batch, layout.directions) == (T, B, 2)
    ends = np.array(lengths or [T] * B)
    order = np.argsort(-ends, kind="stable")
    expected = [by_time[t, b] for t in range(T) for b in order if t < ends[b]]
    rows = layout.rows(x, Lease())
    assert rows.flags.c_contiguous and np.array_equal(rows, np.reshape(expected, (-1, 2)))
    real = np.arange(T)[:, None] < ends
    padded = by_time * real[..., None]
    assert np.array_equal(layout.as_given(rows), padded.swapaxes(0, 1) if batch_first else padded)


@pytest.mark.parametrize("lengths", [None, [2, 0, 4]])
@pytest.mark.parametrize("batch_first", [False, True])
def test_ids_are_copied(batch_first, lengths):
    ids = np.arange(T * B).reshape((B, T) if batch_first else (T, B))
    layout = layout_of(np.empty((*ids.shape, 2)), batch_first=batch_first, lengths=lengths)
    taken = layout.rows_of_ids(ids)
    kept = taken.copy()
    ids[...] = -1
    assert np.array_equal(taken, kept) and taken.size == layout.steps.rows


def test_a_single_sequence_has_no_axis_of_the_batch():
    x = np.zeros((T, 2), np.float32)
    layout = layout_of(x, batch_first=True)
    assert (layout.count, layout.batch, layout.batch_first) == (T, 1, False)
    assert layout.as_given(layout.rows(x, Lease())).shape == (T, 2)
    h, c = layout.states_as_given(layout.new_states())
    assert h.shape == c.shape == (2, 5)
    with pytest.raises(ValueError, match=r"^lengths: expected none for a single sequence"):
        layout_of(x, lengths=[T])


def test_no_steps_are_refused_by_the_arguments_name():
    for shape, options in (((0, B, 2), {}), ((B, 0, 2), {"batch_first": True}), ((0, 2), {})):
        with pytest.raises(ValueError, match=r"^x: expected at least one time step, got shape"):
            layout_of(np.empty(shape), **options)


def test_states_go_to_the_order_of_the_rows_and_back(rng):
    layout = layout_of(np.empty((T, B, 2)), lengths=[2, 0, 4])
    h, c = (rng.standard_normal((2, B, 5), dtype=np.float32) for _ in range(2))
    sorted_h, sorted_c = layout.states("hx", ("h0", "c0"), (h, c), False)
    assert np.array_equal(sorted_h, h[:, [2, 0, 1]]) and np.array_equal(sorted_c, c[:, [2, 0, 1]])
    back = layout.states_as_given([sorted_h, sorted_c])
    assert np.array_equal(back[0], h) and np.array_equal(back[1], c)
    assert layout.states("dstate", ("dhn", "dcn"), (None, c), True)[0] is None


def test_empty_sequences_are_handed_the_states_that_went_in(rng):
    layout = layout_of(np.empty((T, B, 2)), lengths=[2, 0, 4])
    given = [rng.standard_normal((2, B, 5), dtype=np.float32), None]
    taken = [np.full((2, B, 5), 9, np.float32) for _ in range(2)]
    layout.hand_on(given, taken)
    assert (taken[0][:, :2] == 9).all() and np.array_equal(taken[0][:, 2], given[0][:, 2])
    assert (taken[1][:, :2] == 9).all() and not taken[1][:, 2].any()
    layout.hand_on(None, taken)
    assert not taken[0][:, 2].any()
