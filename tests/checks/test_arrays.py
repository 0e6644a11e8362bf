from __future__ import annotations

import timeit

import numpy as np
import pytest

from numba_lstm import checks
from numba_lstm.nn import Parameter

F4, F8 = np.dtype("f4"), np.dtype("f8")


def is_right(array, dtype):
    flags = array.flags
    return (
        type(array) is np.ndarray
        and array.dtype == dtype
        and array.dtype.isnative
        and flags.c_contiguous
        and flags.aligned
        and flags.writeable
    )


@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_what_is_right_already_passes_uncopied(dtype, shape):
    x = np.zeros(shape, dtype)
    assert checks.as_float("x", x, dtype) is x


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    return raw


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


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


@pytest.mark.parametrize(
    "value",
    [3, [0, 4], [[1], [2]], np.array([4, 0], ">i2"), np.arange(10, dtype="u8")[:5:2], (1, 2)],
)
def test_tokens_of_every_form_are_brought_to_int64(value):
    tokens = checks.as_tokens("tokens", value, 5)
    assert is_right(tokens, np.dtype("i8")) and np.array_equal(tokens, value)


def test_right_tokens_pass_uncopied():
    tokens = np.arange(6).reshape(2, 3)
    assert checks.as_tokens("tokens", tokens, 6, ndim=2) is tokens


@pytest.mark.parametrize(
    "value", [[], [[], []], np.zeros((0, 3), np.int64), np.zeros((2, 0), "u8")]
)
def test_no_tokens_are_tokens(value):
    tokens = checks.as_tokens("tokens", value, 5)
    assert is_right(tokens, np.dtype("i8")) and tokens.shape == np.shape(value)


@pytest.mark.parametrize(
    "value, came",
    [
        ([True, False], "an array of bool"),
        (True, "True"),
        (1.0, "1.0"),
        (np.zeros(0), "an array of float64"),
        (np.zeros(2, "f4"), "an array of float32"),
        ([1j], "an array of complex128"),
        ("the", "'the'"),
        (None, "None"),
    ],
)
def test_tokens_that_are_no_integers_are_refused_by_name(value, came):
    with pytest.raises(TypeError) as caught:
        checks.as_tokens("tokens", value, 5)
    assert str(caught.value).startswith("tokens: expected") and f"got {came}" in str(caught.value)


@pytest.mark.parametrize(
    "value, came",
    [
        ([0, 5, 7], "5 at index (1)"),
        ([[0, 1], [-1, 9]], "-1 at index (1, 0)"),
        (-1, "-1"),
        (np.array([2**63 - 1]), f"{2**63 - 1} at index (0)"),
        (np.array([1, 2**64 - 1], "u8"), f"{2**64 - 1} at index (1)"),
        (np.array([-128], "i1"), "-128 at index (0)"),
    ],
)
def test_the_first_token_out_of_range_is_named_with_its_place(value, came):
    with pytest.raises(ValueError) as caught:
        checks.as_tokens("tokens", value, 5)
    assert str(caught.value) == f"tokens: expected ids from 0 to 4, got {came}"


def test_tokens_of_another_number_of_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"^tokens: expected 2 dimensions, got 1"):
        checks.as_tokens("tokens", [1, 2], 5, ndim=2)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_lengths_of_any_integer_dtype_become_int64(dtype):
    found = checks.as_lengths("lengths", np.array([0, 2, 4], dtype), 4, 3)
    assert found.dtype == np.int64 and found.tolist() == [0, 2, 4]
    assert checks.as_lengths("lengths", [], 4, 0).shape == (0,)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2], ValueError, r"expected shape \(3,\), got \(2,\)"),
        ([1, 5, 2], ValueError, "expected 0 to 4, got 5 at index 1"),
        ([1, 2, -1], ValueError, "expected 0 to 4, got -1 at index 2"),
        ([1.0, 2.0, 3.0], TypeError, "expected integers, got an array of float64"),
        ([True, True, True], TypeError, "expected integers, got an array of bool"),
    ],
)
def test_lengths_are_refused_by_name(lengths, error, message):
    with pytest.raises(error, match=f"^lengths: {message}"):
        checks.as_lengths("lengths", lengths, 4, 3)


def test_lengths_without_a_number_of_them_are_one_axis_of_any_size():
    assert checks.as_lengths("lengths", [0, 2], 2).tolist() == [0, 2]
    with pytest.raises(ValueError, match=r"^lengths: expected shape \(B,\), got \(1, 2\)"):
        checks.as_lengths("lengths", [[0, 2]], 2)


def test_size():
    assert checks.size("hidden_size", np.int32(3)) == 3
    assert type(checks.size("hidden_size", np.int32(3))) is int
    assert checks.size("proj_size", 0, 0) == 0
    with pytest.raises(ValueError, match=r"^hidden_size: expected at least 1, got 0$"):
        checks.size("hidden_size", 0)
    for value in (True, np.True_, 2.0, "3", None, [2]):
        with pytest.raises(TypeError, match=r"^hidden_size: expected an integer, got "):
            checks.size("hidden_size", value)


def test_probability():
    for value in (0, 1, 0.5, np.float32(0.25)):
        found = checks.probability("dropout", value)
        assert type(found) is float and found == value
    for value in (-0.1, 1.1, float("nan"), float("inf"), 2):
        with pytest.raises(ValueError, match=r"^dropout: expected a number from 0 to 1, got "):
            checks.probability("dropout", value)
    for value in (True, "0.5", None, 1j, [0.5]):
        with pytest.raises(TypeError, match=r"^dropout: expected a number from 0 to 1, got "):
            checks.probability("dropout", value)


def test_flag():
    for value in (True, False, np.True_, np.False_):
        assert checks.flag("bias", value) is bool(value)
    for value in (0, 1, 1.0, None, "True", "relu", [], np.ones(1, bool)):
        with pytest.raises(TypeError, match=r"^bias: expected True or False, got "):
            checks.flag("bias", value)


def test_positive():
    for value in (1, 0.5, np.float32(0.25), 1e-300, float("inf")):
        found = checks.positive("cell_clip", value)
        assert type(found) is float and found == value
    for value in (0, -0.0, -1, float("nan")):
        with pytest.raises(ValueError, match=r"^cell_clip: expected a number above 0, got "):
            checks.positive("cell_clip", value)
    for value in (True, "0.5", None, 1j, [0.5]):
        with pytest.raises(TypeError, match=r"^cell_clip: expected a number above 0, got "):
            checks.positive("cell_clip", value)


def test_dtype():
    for value in (np.float32, "float32", "f4", F4):
        assert checks.dtype(value) is F4
    for value in (np.float64, float, "double", F8):
        assert checks.dtype(value) is F8
    for value in (np.float16, "int32", ">f4", complex, "O"):
        with pytest.raises(ValueError, match=r"^dtype: expected float32 or float64, got "):
            checks.dtype(value)
    for value in (None, "banana", 3):
        with pytest.raises(TypeError, match=r"^dtype: expected float32 or float64, got "):
            checks.dtype(value)


def test_generator():
    rng = np.random.default_rng(3)
    assert checks.generator(rng) is rng
    assert checks.generator(3).random() == np.random.default_rng(3).random()
    assert checks.generator(np.int64(3)).random() == checks.generator(3).random()
    assert checks.generator().random() != checks.generator().random()
    with pytest.raises(ValueError, match=r"^seed: expected at least 0, got -1$"):
        checks.generator(-1)
    for value in (True, 1.0, "1", np.random.RandomState(0), [1]):
        with pytest.raises(TypeError, match=r"^seed: expected None, an integer or a numpy"):
            checks.generator(value)


def test_choice():
    assert checks.choice("nonlinearity", "relu", ("tanh", "relu")) == "relu"
    for value in ("gelu", None, 3):
        with pytest.raises(ValueError) as caught:
            checks.choice("nonlinearity", value, ("tanh", "relu"))
        assert str(caught.value) == f"nonlinearity: expected 'tanh' or 'relu', got {value!r}"


def test_the_pair_that_a_recurrent_module_gives_is_told_from_an_array():
    from numba_lstm import nn

    lstm, head = nn.LSTM(3, 4, seed=0), nn.Linear(4, 2, seed=0)
    x = np.ones((5, 2, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"^x: expected an array, got a tuple of 2; .* y is the array"
    ):
        head(lstm(x))
