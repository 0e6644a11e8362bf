from __future__ import annotations

import contextlib
import copy
import pickle
import threading

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.nn import Parameter
from numba_lstm.parameters import epochs
from numba_lstm.parameters.parameter import mutate_all


@pytest.mark.parametrize(
    "dtype, stored",
    [
        ("f4", "f4"),
        ("f8", "f8"),
        (">f4", "f4"),
        (">f8", "f8"),
        ("f2", "f4"),
        ("i8", "f4"),
        ("?", "f4"),
    ],
)
def test_data_is_copied_into_contiguous_native_floats(dtype, stored):
    data = np.ones((4, 6), dtype)[::2, ::3].T
    p = Parameter(data)
    data[...] = 0
    assert p.dtype == stored and p.dtype.isnative and p.shape == (2, 2)
    assert p.numpy().flags.c_contiguous and (p.numpy() == 1).all()
    assert (p.ndim, p.size, p.version, p.grad, p.requires_grad) == (2, 4, 0, None, True)


@pytest.mark.parametrize(
    "data", [None, "text", [1j], [object()], np.ma.masked_equal([1.0, 2.0], 2)]
)
def test_data_other_than_real_numbers_is_refused(data):
    with pytest.raises(TypeError, match=r"^data: expected real numbers, got"):
        Parameter(data)


def test_numpy_is_a_read_only_view_that_later_writes_show_through():
    p = Parameter(np.zeros(3))
    view = p.numpy()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    p[1] = 5
    assert view.tolist() == [0, 5, 0]
    assert np.asarray(p).tolist() == [0, 5, 0]
    assert not np.asarray(p).flags.writeable


def test_asarray_casts_and_copies_as_asked():
    p = Parameter(np.arange(3.0))
    assert np.asarray(p, np.float32).dtype == np.float32
    fresh = np.array(p)
    fresh[0] = 9
    assert p.numpy()[0] == 0
    assert (np.multiply(p, 2) == [0, 2, 4]).all()


def test_each_write_raises_the_version_by_one():
    p = Parameter(np.zeros((2, 3), np.float32))
    p[...] = 1
    assert p.version == 1
    p[0, 1] = np.float64(2.5)
    assert p.version == 2
    p[...] -= np.ones((2, 3))
    assert p.version == 3
    with p.mutate() as array:
        array += 1
        assert p.version == 3
    assert p.version == 4
    assert p.numpy().tolist() == [[1, 2.5, 1], [1, 1, 1]]


def test_a_write_that_fails_halfway_still_raises_the_version():
    p = Parameter(np.zeros(3))
    with pytest.raises(KeyError), p.mutate() as array:
        array[0] = 1
        raise KeyError
    assert p.version == 1


@pytest.mark.parametrize("value, error", [(1j, TypeError), (None, TypeError), ("a", TypeError),
                                          (np.zeros(4), ValueError)])  # fmt: skip
def test_a_write_of_what_does_not_fit_changes_nothing(value, error):
    p = Parameter(np.ones((2, 3)))
    with pytest.raises(error):
        p[...] = value
    assert (p.numpy() == 1).all()


def test_reading_a_part_gives_a_copy():
    p = Parameter(np.zeros((2, 2)))
    part = p[0]
    part[0] = 7
    assert (p.numpy() == 0).all()


def test_packed_is_made_once_for_each_key_and_version():
    p, calls = Parameter(np.arange(3.0)), []

    def make(array):
        calls.append(1)
        return array * 2

    first = p.packed("double", make)
    assert p.packed("double", make) is first and len(calls) == 1
    p.packed("other", make)
    assert len(calls) == 2
    p[0] = 5
    assert p.packed("double", make).tolist() == [10, 2, 4] and len(calls) == 3
    with p.mutate() as array:
        array[1] = 7
    assert p.packed("double", make).tolist() == [10, 14, 4]


def test_packed_may_make_none_and_ask_for_another_form():
    p, calls = Parameter(np.ones(2)), []
    assert p.packed("none", lambda array: calls.append(1)) is None
    assert p.packed("none", lambda array: calls.append(1)) is None
    assert len(calls) == 1
    assert p.packed("sum", lambda array: p.packed("double", lambda a: 2 * a).sum()) == 4


def test_packed_is_made_once_when_many_threads_ask():
    p, calls = Parameter(np.ones(2)), []
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        p.packed("key", lambda array: calls.append(1))

    run_in_threads(ask, 8)
    assert len(calls) == 1


def test_gradient_is_copied_cast_and_checked():
    p = Parameter(np.zeros((2, 3), np.float32))
    g = np.ones((2, 3))
    p.grad = g
    g[...] = 5
    assert p.grad.dtype == np.float32 and (p.grad == 1).all()
    p.grad *= 3
    assert (p.grad == 3).all()
    with pytest.raises(ValueError, match=r"grad: expected shape \(2, 3\), got \(3, 2\)"):
        p.grad = np.ones((3, 2))
    with pytest.raises(TypeError, match="grad: expected real numbers"):
        p.grad = 1j * g
    assert (p.grad == 3).all()
    p.grad = None
    assert p.grad is None


def test_add_grad_takes_what_it_owns_and_copies_what_it_does_not():
    p = Parameter(np.zeros(3, np.float32))
    mine, given = np.ones(3, np.float32), np.full(3, 2, np.float32)
    p.add_grad(mine)
    assert p.grad is not mine
    p.add_grad(given)
    assert p.grad.tolist() == [3, 3, 3] and mine.tolist() == [1, 1, 1]
    p.grad = None
    p.add_grad(given, copy=False)
    assert p.grad is given
    p.grad = None
    p.add_grad(np.ones(3), copy=False)  # of another dtype: cannot be taken as it is
    assert p.grad.dtype == np.float32
    p.add_grad(np.ones(3))
    assert p.grad.tolist() == [2, 2, 2] and p.grad.dtype == np.float32


def test_add_grad_refuses_another_shape_and_adds_nothing():
    p = Parameter(np.zeros(3))
    with pytest.raises(ValueError, match=r"g: expected shape \(3,\), got \(1,\)"):
        p.add_grad(np.ones(1))
    assert p.grad is None


def test_a_frozen_parameter_takes_no_gradient():
    p = Parameter(np.zeros(3))
    p.requires_grad = False
    p.add_grad(np.ones(3))
    assert p.grad is None
    assert "requires_grad=False" in repr(p)


def test_no_addend_is_lost_between_threads():
    p = Parameter(np.zeros(20_000))
    one = np.ones(p.shape)
    run_in_threads(lambda: [p.add_grad(one) for _ in range(50)], 6)
    assert (p.grad == 300).all()


def test_accumulate_lends_an_array_that_becomes_the_gradient():
    p = Parameter(np.zeros((2, 3), np.float32))
    with p.accumulate() as (grad, add):
        assert not add and grad.shape == (2, 3) and grad.dtype == np.float32
        grad[...] = 2
        assert p.grad is None
    assert p.grad is grad
    with p.accumulate() as (again, add):
        assert add and again is grad
        again += 1
    assert (p.grad == 3).all()


def test_accumulate_that_fails_leaves_no_gradient():
    p = Parameter(np.zeros(2))
    with pytest.raises(KeyError), p.accumulate():
        raise KeyError
    assert p.grad is None


def test_accumulate_keeps_others_out_until_it_ends_however_it_ends():
    p = Parameter(np.zeros(2))
    for before in (None, np.ones(2)):
        p.grad = before
        with contextlib.suppress(KeyError), p.accumulate():
            raise KeyError
        other = threading.Thread(target=p.add_grad, args=(np.ones(2),), daemon=True)
        other.start()
        other.join(10)
        assert not other.is_alive()
        assert (p.grad == (1 if before is None else 2)).all()
    with p.accumulate():
        other = threading.Thread(target=p.add_grad, args=(np.ones(2),), daemon=True)
        other.start()
        other.join(0.05)
        assert other.is_alive()
    other.join()
    assert (p.grad == 3).all()


def test_mutate_all_lends_the_arrays_and_every_version_rises_however_it_ends():
    params = [Parameter(np.zeros(n)) for n in (1, 2, 3)]
    sums = [p.packed("sum", np.sum) for p in params]
    before = epochs.epoch
    with pytest.raises(KeyError), mutate_all(params[:2]) as arrays:
        assert all(a is p.values_for_kernel() for a, p in zip(arrays, params))
        for a in arrays:
            a += 1
        raise KeyError
    assert [p.version for p in params] == [1, 1, 0] and epochs.epoch != before
    assert [p.packed("sum", np.sum) for p in params] == [1, 2, 0] != sums


def test_accumulate_loses_no_addend_between_threads():
    p = Parameter(np.zeros(5000))

    def add():
        for _ in range(50):
            with p.accumulate() as (grad, accumulate):
                grad[...] = grad + 1 if accumulate else 1

    run_in_threads(add, 6)
    assert (p.grad == 300).all()


def test_repack_replaces_a_packed_form_until_the_next_write():
    p = Parameter(np.ones(2))
    assert p.packed("sum", np.sum) == 2
    p.repack("sum", 7)
    assert p.packed("sum", np.sum) == 7
    p[...] = 3
    assert p.packed("sum", np.sum) == 6


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies_are_equal_and_independent(clone):
    p = Parameter(np.arange(6, dtype=np.float32).reshape(2, 3))
    p[0, 0] = 9
    p.grad = np.ones((2, 3))
    p.packed("key", np.copy)
    p.requires_grad = False
    q = clone(p)
    assert np.array_equal(q.numpy(), p.numpy()) and np.array_equal(q.grad, p.grad)
    assert (q.version, q.requires_grad, q.dtype) == (1, False, np.float32)
    q[...] = 0
    q.grad[...] = 0
    assert (q.numpy() == 0).all() and p.numpy()[0, 0] == 9 and (p.grad == 1).all()
    assert q.packed("key", np.copy).tolist() == [[0] * 3] * 2
    assert p.packed("key", np.copy).tolist() == p.numpy().tolist()


def test_a_parameter_shared_in_a_structure_stays_shared_in_its_copy():
    p = Parameter(np.zeros(2))
    a, b = copy.deepcopy([p, p])
    assert a is b and a is not p


def run_in_threads(function, count):
    failures = []

    def run():
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_the_memory_of_a_dropped_gradient_serves_again_unless_somebody_holds_it():
    p = Parameter(np.zeros((3, 4), "f4"))

    def fill(value):
        with p.accumulate() as (grad, accumulate):
            assert not accumulate
            grad[...] = value

    fill(1)
    address = p.grad.ctypes.data
    p.grad = None
    assert p.grad is None
    fill(2)
    assert p.grad.ctypes.data == address
    held, part = p.grad, p.grad[1:]
    p.grad = None
    fill(3)
    assert np.all(held == 2) and np.all(p.grad == 3)
    del held
    p.grad = None
    fill(4)
    part_of_this = p.grad[1:]
    p.grad = None
    fill(5)
    assert np.all(part == 2) and np.all(part_of_this == 4)


def test_a_gradient_may_be_kept_in_an_array_of_the_callers():
    whole = np.zeros(8, "f4")
    home = whole[1:7].reshape(2, 3)
    p = Parameter(np.zeros((2, 3), "f4"))
    p.grad = np.ones((2, 3))
    p.keep_grad_in(home)
    assert p.grad is home and whole.tolist() == [0, *[1] * 6, 0]  # it moved there

    def fill(value):
        with p.accumulate() as (grad, accumulate):
            assert grad is home and not accumulate
            grad[...] = value

    writes = [
        lambda: fill(2),
        lambda: p.add_grad(np.full((2, 3), 2, "f4"), copy=False),
        lambda: p.add_grad(np.full((2, 3), 2, "f8")),
        lambda: setattr(p, "grad", np.full((2, 3), 2)),
    ]
    for write in writes:
        p.grad = None
        assert p.grad is None
        write()
        assert p.grad is home and whole.tolist() == [0, *[2] * 6, 0]
        p.add_grad(np.ones((2, 3), "f4"), copy=False)
        p.grad = p.grad * 2
        assert p.grad is home and whole.tolist() == [0, *[6] * 6, 0]
    view = home.view()
    p.keep_grad_in(view)  # the same memory: the gradient stays the object that it is
    assert p.grad is home
    p.grad = None
    p.add_grad(np.ones((2, 3)))
    assert p.grad is view
    for twin in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert np.array_equal(twin.grad, p.grad) and not np.shares_memory(twin.grad, whole)
        twin.grad = None
        twin.add_grad(np.full((2, 3), 9.0))
    assert whole.tolist() == [0, *[1] * 6, 0]
    p.keep_grad_in(None)
    p.grad = None
    p.add_grad(np.full((2, 3), 7.0))
    assert whole.tolist() == [0, *[1] * 6, 0]


@pytest.mark.parametrize(
    "home", [np.zeros((3, 2)), np.zeros((2, 3), "f4"), np.zeros((3, 2)).T, np.zeros((2, 3, 1))]
)
def test_an_array_that_cannot_hold_the_gradient_is_refused(home):
    p = Parameter(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"^home: expected a C-contiguous array of \(2, 3\) of f"):
        p.keep_grad_in(home)


def test_a_gradient_is_kept_in_the_values_layout_and_dtype():
    for given in (np.arange(6.0).reshape(3, 2).T, np.asfortranarray(np.arange(6.0).reshape(2, 3))):
        for give in (Parameter.add_grad, lambda p, g: setattr(p, "grad", g)):
            p = Parameter(np.zeros((2, 3), "f4"))
            give(p, given)
            assert p.grad.dtype == np.float32 and p.grad.flags.carray
            assert np.array_equal(p.grad, given) and not np.shares_memory(p.grad, given)


def test_numpy_sees_the_values_in_the_dtype_that_it_asks_for():
    p = Parameter(np.array([1.5, 2.5], "f4"))
    for dtype in (None, np.float32):
        assert np.shares_memory(p.__array__(dtype), p.numpy())
        assert not np.shares_memory(p.__array__(dtype, copy=True), p.numpy())
    for copy_ in (None, True):
        wide = p.__array__(np.float64, copy=copy_)
        assert wide.dtype == np.float64 and wide.tolist() == [1.5, 2.5]
    with pytest.raises(ValueError, match=r"float32 parameter cannot be seen as .*float64"):
        p.__array__(np.float64, copy=False)
    assert Parameter(np.ones(2)).__array__(np.float32).dtype == np.float32
    assert repr(p) == "Parameter(shape=(2,), dtype=float32)"


def test_a_write_of_another_shape_names_the_parameter_and_both_shapes():
    p = Parameter(np.zeros((2, 3), "f4"))
    with pytest.raises(
        ValueError,
        match=r"^value: expected shape \(2, 3\), or one that broadcasts to it, got \(2,\)$",
    ):
        p[...] = [1, 2]
    linear = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"^weight: expected shape \(2, 3\), .* got \(3, 2\)$"):
        linear.weight[...] = np.ones((3, 2))
    with pytest.raises(ValueError, match=r"^weight: expected shape \(2,\), .* got \(3,\)$"):
        linear.weight[:, 0] = np.ones(3)
    with pytest.raises(ValueError, match=r"^bias: expected shape \(\), .* got \(2,\)$"):
        linear.bias[0] = np.ones(2)
    with pytest.raises(TypeError, match=r"^bias: expected real numbers, got"):
        linear.bias[...] = None
    with pytest.raises(IndexError):
        linear.bias[5] = 1


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_a_parameter_is_called_after_its_first_place_and_so_are_its_copies(clone):
    one, other = nn.Linear(3, 2), nn.Embedding(2, 3)
    p = nn.Parameter(np.zeros((2, 3), "f4"))
    assert p.name == ""
    one.weight, other.weight = p, p
    one.other_name = p
    assert p.name == "weight" and clone(p).name == "weight"
    assert clone(one).bias.name == "bias"
