from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pytest

import numba_lstm
from numba_lstm.quiet import add_into, cast, without_errors

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


def test_warnings_that_were_made_errors_stop_nothing():
    with np.errstate(all="warn"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cast(np.array([1e300]), F4)[0] == np.inf
        total = np.array([3e38, 1.0], F4)
        add_into(total, np.array([3e38, 1.0], F4))
    assert total.tolist() == [np.inf, 2.0]


class ErrstateBeforeNumPy2(contextlib.ContextDecorator):
    """As NumPy 1 had it: a decorated function's calls share one place for the caller's settings."""

    def __init__(self, **kwargs):
        self.kwargs = kwargs

    def __enter__(self):
        self.before = np.seterr(**self.kwargs)

    def __exit__(self, *error):
        np.seterr(**self.before)


@pytest.mark.parametrize("errstate", [np.errstate, ErrstateBeforeNumPy2])
def test_a_function_without_errors_leaves_the_callers_settings(monkeypatch, errstate):
    monkeypatch.setattr(np, "errstate", errstate)

    @without_errors
    def overflow(again):
        if again:  # one call within another, as two threads' calls overlap
            overflow(False)
        return np.float32(3e38) * np.float32(3e38)

    before = np.geterr()
    assert overflow(True) == np.inf and np.geterr() == before


def test_errstate_itself_decorates_nothing():
    package = Path(numba_lstm.__file__).parent
    found = [path.name for path in package.rglob("*.py") if "@np.errstate" in path.read_text()]
    assert not found
