"""Every form of real numbers is brought to one, or refused by name."""

from __future__ import annotations

import timeit

import numpy as np
import pytest
from checks_tool import is_right
from forms_tool import read_only, unaligned

from numba_lstm import checks
from numba_lstm.nn import Parameter

F4, F8 = np.dtype("f4"), np.dtype("f8")


@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_what_is_right_already_passes_uncopied(dtype, shape):
    x = np.zeros(shape, dtype)
    assert checks.as_float("x", x, dtype) is x


FORMS = [
    lambda a: a.tolist(),
    lambda a: tuple(map(tuple, a.tolist())),
    lambda a: np.asfortranarray(a),
    lambda a: a.repeat(2, axis=1)[:, ::2],
    lambda a: a[:, ::-1].copy()[:, ::-1],
    lambda a: np.ma.array(a, mask=False),
    lambda a: a.view(np.matrix),
    lambda a: Parameter(a),
    read_only,
    unaligned,
    *(
        lambda a, t=t: a.astype(t)
        for t in (">f4", ">f8", "<f4", "f8", "f2", "g", "i1", "u8", ">i4")
    ),
]


@pytest.mark.parametrize("form", range(len(FORMS)))
@pytest.mark.parametrize("dtype", [F4, F8])
def test_every_form_of_real_numbers_is_brought_to_one(dtype, form):
    plain = np.arange(6.0).reshape(2, 3)
    x = checks.as_float("x", FORMS[form](plain), dtype, shape=("T", 3))
    assert is_right(x, dtype) and np.array_equal(x, plain)


def test_booleans_count_as_numbers():
    assert checks.as_float("x", [True, False], F4).tolist() == [1, 0]


@pytest.mark.parametrize(
    "value, came",
    [
        (None, "None"),
        ("abc", "'abc'"),
        (b"abc", "b'abc'"),
        (["a", "b"], "an array of <U1"),
        (np.zeros(2, complex), "an array of complex128"),
        (1j, "1j"),
        ([None, 1.0], "an array of object"),
        (np.array([1.0, "x"], object), "an array of object"),
        (np.zeros(2, "M8[s]"), "an array of datetime64"),
        (np.zeros(2, [("a", "f4")]), "an array of"),
        ({}, "an object of type dict"),
        (10**40, "1" + "0" * 36 + "..."),
        (np.ma.masked_greater([1.0, 2.0], 1), "a masked array that hides values"),
        (np.ma.masked, "a masked array that hides values"),
        ([np.ma.masked_greater([1.0, 2.0], 1)], "a masked array that hides values"),
    ],
)
def test_what_is_not_real_numbers_is_refused_by_name(value, came):
    with pytest.raises(TypeError) as caught:
        checks.as_float("h0", value, F4)
    assert str(caught.value).startswith("h0: expected real numbers, got " + came)


def test_ragged_lists_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^x: .*inhomogeneous"):
        checks.as_float("x", [[1, 2], [3]], F4)


def test_a_foreign_object_that_cannot_be_converted_is_refused_by_name():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("not on this device")

    with pytest.raises(TypeError, match=r"^x: .*type Foreign: not on this device"):
        checks.as_float("x", Foreign(), F4)


@pytest.mark.parametrize(
    "expected, text",
    [
        (("T", "B", 10), "(T, B, 10)"),
        ((None, 3, 11, 1), "(any, 3, 11, 1)"),
        ((7,), "(7,)"),
        ((), "()"),
        ((np.int64(4), 3, 11), "(4, 3, 11)"),
    ],
)
def test_a_wrong_shape_is_named(expected, text):
    with pytest.raises(ValueError) as caught:
        checks.as_float("x", np.zeros((5, 3, 11), F4), F4, shape=expected)
    assert str(caught.value) == f"x: expected shape {text}, got (5, 3, 11)"


def test_a_wrong_number_of_dimensions_is_named():
    with pytest.raises(ValueError, match=r"^x: expected 3 dimensions, got 2 \(shape \(5, 3\)\)$"):
        checks.as_float("x", np.zeros((5, 3)), F4, ndim=3)
    assert checks.as_float("x", np.zeros((5, 3)), F4, ndim=2).shape == (5, 3)


def test_a_right_array_is_checked_within_two_microseconds():
    # The goal is one; this allows for a busy machine, and fails if an array is ever copied.
    x = np.zeros((100, 32, 64), F4)
    run = timeit.Timer(lambda: checks.as_float("x", x, F4, shape=("T", "B", 64)))
    assert min(run.repeat(20, 500)) / 500 < 2e-6


def test_a_cotangent_of_none_is_zeros():
    zeros = checks.as_cotangent("dy", None, F4, (2, 3))
    for dtype in (F4, F8):
        assert checks.as_cotangent("dy", [[1, 2, 3]], dtype, (1, 3)).dtype == dtype
    assert is_right(zeros, F4) and zeros.shape == (2, 3) and not zeros.any()
    with pytest.raises(ValueError, match=r"^dy: expected shape \(2, 3\), got \(3, 2\)"):
        checks.as_cotangent("dy", np.zeros((3, 2)), F4, (2, 3))


def test_the_pair_that_a_recurrent_module_gives_is_told_from_an_array():
    from numba_lstm import nn

    lstm, head = nn.LSTM(3, 4, seed=0), nn.Linear(4, 2, seed=0)
    x = np.ones((5, 2, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"^x: expected an array, got a tuple of 2; .* y is the array"
    ):
        head(lstm(x))
