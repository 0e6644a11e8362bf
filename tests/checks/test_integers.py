"""Token ids and lengths are whole numbers in range, or refused by name and place."""

from __future__ import annotations

import numpy as np
import pytest
from checks_tool import is_right

from numba_lstm import checks


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
