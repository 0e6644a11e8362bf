"""The first value that is not finite is told with its place, and only what is read is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.models.finite import check_finite


def test_the_first_value_that_is_not_finite_is_told():
    array = np.zeros((2, 3))
    check_finite("x", array)
    array[1, 2] = -np.inf
    with pytest.raises(
        ValueError, match=r"^x: expected finite numbers, got -inf at index \(1, 2\)"
    ):
        check_finite("x", array)
    array[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"got nan at index \(1, 0\)"):
        check_finite("x", array, np.s_[-1:, :2])
    check_finite("x", array, np.s_[:, 1:2])
