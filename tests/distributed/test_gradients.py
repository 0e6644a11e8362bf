from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.distributed.gradients import FlatGradients
from numba_lstm.nn import Parameter


@pytest.fixture
def parameters():
    return [Parameter(np.zeros(shape, dtype)) for shape, dtype in SHAPES]


SHAPES = [((3, 5), "f4"), ((4,), "f8"), ((), "f4"), ((2, 2), "f8"), ((0, 3), "f4")]


def test_gradients_are_views_of_one_array_a_dtype_that_start_on_cache_lines(parameters, rng):
    flat = FlatGradients(parameters, 3)
    assert [array.dtype for array in flat.arrays] == [np.float32, np.float64]
    assert flat.arrays[0].size == 16 + 16 + 0 + len(parameters) + 3  # padded, and the tail
    assert flat.arrays[1].size == 8 + 8
    for p in parameters:
        g = rng.standard_normal(p.shape).astype(p.dtype)
        p.add_grad(g)
        assert np.array_equal(p.grad, g) and p.grad.shape == p.shape
        if p.size:
            (home,) = [array for array in flat.arrays if np.shares_memory(array, p.grad)]
            assert home.dtype == p.dtype
            assert p.grad.__array_interface__["data"][0] % 64 == 0


def test_gradients_that_were_there_before_move_into_the_array():
    p = Parameter(np.zeros(3))
    p.grad = [1.0, 2.0, 3.0]
    flat = FlatGradients([p], 1)
    assert flat.arrays[0][:3].tolist() == [1, 2, 3] and np.shares_memory(p.grad, flat.arrays[0])


def test_what_another_wrote_elsewhere_is_brought_and_none_becomes_zero(parameters):
    flat = FlatGradients(parameters, 2)
    for p in parameters:
        p.add_grad(np.ones(p.shape))
    parameters[0].grad = None
    parameters[1].keep_grad_in(None)
    parameters[1].grad = None
    parameters[1].add_grad([5.0] * 4)
    assert not np.shares_memory(parameters[1].grad, flat.arrays[1])
    flat.gather()
    flat.mark(1, 7)
    assert flat.arrays[0].tolist()[:17] == [0] * 16 + [1]
    assert flat.arrays[0].tolist()[32:] == [0, 1, 1, 1, 1, 0, 7]
    assert flat.arrays[1].tolist()[:4] == [5] * 4
    assert flat.marks() == [0, 7]


def test_the_largest_mark_is_exact_in_float32():
    flat = FlatGradients([Parameter(np.zeros(3, np.float32))], 2)
    flat.mark(1, (1 << 24) - 1)
    assert flat.marks() == [0, (1 << 24) - 1]


def test_no_parameters_still_carry_the_marks():
    flat = FlatGradients([], 2)
    flat.gather()
    flat.mark(0, 3)
    assert flat.marks() == [3, 0] and not flat.shown()


def test_sums_are_shown_where_any_rank_had_a_gradient(parameters):
    first, second, *others = parameters
    flat = FlatGradients(parameters, 2)
    first.add_grad(np.ones(first.shape))
    flat.gather()
    flat._counts[1] += 1  # another rank had one of the second
    flat.show()
    assert first.grad.sum() == 15 and second.grad.tolist() == [0] * 4
    assert [p.grad for p in others] == [None] * 3
    assert flat.shown()
    first.grad *= 0.5
    assert flat.shown()  # changed in place
    flat.forget()
    assert not flat.shown()


def test_a_gradient_that_came_after_the_sums_is_told_from_them():
    p, q = Parameter(np.zeros(3)), Parameter(np.zeros(2))
    flat = FlatGradients([p, q], 1)
    for one in (p, q):
        one.add_grad(np.ones(one.shape))
    flat.gather()
    flat.show()
    p.grad = None
    assert flat.shown()  # a gradient that is dropped skips this parameter's step
    p.add_grad(np.ones(3))
    with pytest.raises(RuntimeError, match=r"^parameter 0 got a gradient of this rank alone"):
        flat.shown()
    q.grad = None
    assert not flat.shown()


def test_released_gradients_stand_in_arrays_of_their_own(parameters):
    flat = FlatGradients(parameters, 1)
    parameters[0].add_grad(np.ones((3, 5)))
    flat.release()
    assert parameters[0].grad.sum() == 15 and not flat.arrays[0].any()
    parameters[2].add_grad(2.0)
    assert not flat.arrays[0].any()


def test_sums_that_are_not_cleared_are_added_to_and_copied_nowhere(parameters):
    p = parameters[0]
    flat = FlatGradients(parameters, 1)
    p.add_grad(np.ones(p.shape))
    flat.gather()
    flat.show()
    flat.forget()
    before = p.grad
    p.add_grad(np.ones(p.shape))
    flat.gather()
    flat.show()
    assert p.grad is before and flat.shown() and flat.arrays[0][:15].tolist() == [2] * 15


def test_two_that_share_a_parameter_each_bring_its_gradient_home():
    p = Parameter(np.zeros(3))
    first, second = FlatGradients([p], 1), FlatGradients([p], 1)
    for flat in (first, second, first):
        p.grad = None
        p.add_grad([1.0, 2.0, 3.0])
        flat.gather()
        flat.show()
        assert np.shares_memory(p.grad, flat.arrays[0]) and flat.shown()
        assert p.grad.tolist() == [1, 2, 3]
        flat.forget()
