from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.quiet import add_into, cast

F4 = np.dtype("f4")


@pytest.fixture(autouse=True)
def everything_raises():
    with np.errstate(all="raise"):
        yield


@pytest.mark.parametrize("value, expected", [(1e300, np.inf), (1e-300, 0.0), (1e-42, 1e-42)])
def test_a_cast_of_what_does_not_fit(value, expected):
    found = cast(np.array([1.0, value, 2.0]), F4)
    assert found.dtype == F4 and np.array_equal(found, np.array([1.0, expected, 2.0], F4))


def test_a_cast_is_a_contiguous_copy():
    array = np.ones((3, 4), F4).T
    found = cast(array, F4)
    assert found.flags.c_contiguous and not np.shares_memory(found, array)


@pytest.mark.parametrize("place", [0, 7, -1])
@pytest.mark.parametrize("shape", [(9,), (70_000,), (300, 301), (3, 4, 5)])
@pytest.mark.parametrize("strided", [False, True])
def test_sums_are_complete_wherever_one_overflows(shape, strided, place):
    total, values = np.ones(shape, F4), np.full(shape, 2, F4)
    if strided:
        total, values = (np.repeat(one, 2, axis=-1)[..., ::2] for one in (total, values))
    huge = np.unravel_index(range(total.size)[place], shape)
    total[huge] = values[huge] = 3e38
    expected = np.full(shape, 3, F4)
    expected[huge] = np.inf
    add_into(total, values)
    assert np.array_equal(total, expected)
