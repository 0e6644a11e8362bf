"""Scaling gives mean 0 and deviation 1 by the fitted part, and never divides by nothing."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Scaler


def test_it_is_fitted_on_a_part_and_undone_on_all(rng):
    x = rng.standard_normal((50, 3)) * [1, 10, 1e-3] + [0, 5, 100]
    scaler = Scaler.fit(x[:30])
    part = scaler.transform(x[:30])
    np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(part.std(axis=0), 1, rtol=1e-9)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(x)), x, rtol=1e-12)
    np.testing.assert_allclose(scaler.inverse(part[:, :2]), x[:30, :2], rtol=1e-12)
    again = Scaler.from_json(scaler.to_json())
    np.testing.assert_array_equal(again.transform(x), scaler.transform(x))


def test_several_sequences_count_as_one(rng):
    parts = [rng.standard_normal((n, 2)) for n in (3, 5, 1)]
    both = Scaler.fit(parts), Scaler.fit(np.concatenate(parts))
    np.testing.assert_array_equal(both[0].mean, both[1].mean)
    np.testing.assert_array_equal(both[0].scale, both[1].scale)


@pytest.mark.parametrize("constant", [7.5, 0.0, 0.1, 1e12, -3e-9])
def test_a_constant_becomes_zero_and_comes_back(constant):
    x = np.full((1001, 1), constant)
    scaler = Scaler.fit(x)
    assert scaler.scale == 1
    np.testing.assert_allclose(scaler.transform(x), 0, atol=1e-12 * max(1, abs(constant)))
    np.testing.assert_allclose(scaler.inverse(np.zeros((1, 1))), constant, rtol=1e-12)


def test_missing_values_do_not_count_and_stay():
    scaler = Scaler.fit([[1.0], [np.nan], [3.0]])
    assert scaler.mean == 2 and scaler.scale == 1
    np.testing.assert_array_equal(scaler.transform([[np.nan], [4.0]]), [[np.nan], [2.0]])
    with pytest.raises(ValueError, match="column 1 has no value at all"):
        Scaler.fit([[1.0, np.nan]])


def test_another_width_is_refused():
    scaler = Scaler.fit([[1.0, 2.0], [3.0, 4.0]])
    for call in (scaler.transform, scaler.inverse):
        with pytest.raises(ValueError, match="values: expected 2 columns"):
            call([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="values: expected 2 columns"):
        scaler.transform([[1.0]])


@pytest.mark.parametrize("column", [[1e300, -1e300], [1.7e308, 1.7e308]])
def test_what_is_too_large_to_scale_is_refused(column):
    with pytest.raises(ValueError, match="column 1 has numbers too large to scale, of a size up"):
        Scaler.fit([[0.0, one] for one in column])


def test_a_weight_of_two_is_a_row_twice(rng):
    x = rng.standard_normal((6, 2))
    weighted = Scaler.fit(x, [1, 2, 0, 1, 1, 1])
    repeated = Scaler.fit(x[[0, 1, 1, 3, 4, 5]])
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-12)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-12)
    with pytest.raises(ValueError, match="weights: expected shape"):
        Scaler.fit(x, [1.0])
