"""The measures are those of their definitions, and refuse what has no measure."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import metrics

Y, F = np.array([[1.0], [2.0], [4.0]]), np.array([[2.0], [2.0], [1.0]])


def test_they_are_what_their_definitions_say():
    assert metrics.mae(Y, F) == pytest.approx(4 / 3)
    assert metrics.rmse(Y, F) == pytest.approx(np.sqrt(10 / 3))
    assert metrics.smape(Y, F) == pytest.approx(200 / 3 * (1 / 3 + 0 + 3 / 5))
    assert metrics.mase(Y, F, [2.0]) == pytest.approx(2 / 3)
    assert metrics.pinball(Y, F, 0.9) == pytest.approx((0.1 * 1 + 0 + 0.9 * 3) / 3)
    assert metrics.pinball(Y, F, 0.5) == pytest.approx(metrics.mae(Y, F) / 2)
    assert metrics.coverage(Y, F - 1, F + 1) == pytest.approx(2 / 3)
    assert metrics.seasonal_scale([1.0, 2.0, 4.0, 8.0], 2) == pytest.approx((3 + 6) / 2)
    assert metrics.seasonal_scale([1.0, np.nan, 4.0, 8.0, 7.0], 2) == pytest.approx((3 + 3) / 2)
    assert metrics.seasonal_scale([1.0, np.nan], 1) == 0.0


def test_scikit_learn_agrees(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    y, f = rng.standard_normal((2, 50))
    assert metrics.mae(y, f) == pytest.approx(sklearn.mean_absolute_error(y, f))
    assert metrics.rmse(y, f) == pytest.approx(np.sqrt(sklearn.mean_squared_error(y, f)))
    assert metrics.pinball(y, f, 0.3) == pytest.approx(sklearn.mean_pinball_loss(y, f, alpha=0.3))


def test_zeros_are_no_divisors():
    assert metrics.smape([0.0, 1.0], [0.0, 1.0]) == 0
    assert metrics.mase([1.0], [1.0], 0.0) is None


def test_a_median_has_the_least_pinball_loss(rng):
    y = rng.exponential(size=2000)
    for q in (0.1, 0.5, 0.9):
        best = metrics.pinball(y, np.full_like(y, np.quantile(y, q)), q)
        assert all(
            metrics.pinball(y, np.full_like(y, np.quantile(y, q) + d), q) > best
            for d in (-0.2, 0.2)
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.mae([1.0], [1.0, 2.0]), "forecast: expected shape"),
        (lambda: metrics.mae([np.nan], [1.0]), "truth: expected finite"),
        (lambda: metrics.rmse([1.0], [np.inf]), "forecast: expected finite"),
        (lambda: metrics.smape(np.zeros(0), np.zeros(0)), "none at all"),
        (lambda: metrics.pinball([1.0], [1.0], 1.5), "quantile"),
        (lambda: metrics.coverage([1.0], [np.nan], [1.0]), "low: expected finite"),
        (lambda: metrics.seasonal_scale([1.0, 2.0], 2), "more than season=2 rows, got 2"),
    ],
)
def test_what_has_no_measure_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
