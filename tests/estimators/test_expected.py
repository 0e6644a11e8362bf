"""scikit-learn's own checks: all pass but those that are listed, with the reason."""

from __future__ import annotations

import pytest

sklearn_checks = pytest.importorskip("sklearn.utils.estimator_checks")

from long_tool import LONG  # noqa: E402

from numba_lstm.estimators import (  # noqa: E402
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    expected_failed_checks,
)

SMALL = {"hidden_size": 8, "learning_rate_init": 0.05, "max_iter": 40, "n_iter_no_change": 5}
# The default is ten networks; two are one of each kind.
FORECASTER = {"window": 4, **SMALL, **({} if LONG else {"n_estimators": 1})}


class SeriesForecaster(LSTMForecaster):
    """Called as scikit-learn's checks call: their table is y, and their target is not used.

    So they check a forecaster of y alone.
    """

    def fit(self, X, y=None):
        return super().fit(X)

    def partial_fit(self, X, y=None):
        return super().partial_fit(X)

    def score(self, X, y=None):
        return super().score(X)


ESTIMATORS = [
    LSTMClassifier(**SMALL),
    LSTMRegressor(**SMALL),
    LSTMForecaster(**FORECASTER),
]

# A forecast of a series depends on the order and the number of its rows.
OF_A_SERIES = {
    name: "rows are steps in time, none a sample of its own"
    for name in ("check_methods_sample_order_invariance", "check_methods_subset_invariance")
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_the_checks_of_scikit_learn_pass(estimator):
    expected = expected_failed_checks(estimator)
    assert_checks(estimator, expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_forecaster_of_series_passes_all_but_those_about_rows():
    assert_checks(SeriesForecaster(**FORECASTER), {**OF_A_SERIES, "check_fit1d": "a series is 1d"})


def assert_checks(estimator, expected):
    """All checks pass but the expected ones, which fail, every one of them."""
    found = sklearn_checks.check_estimator(
        estimator, expected_failed_checks=expected, on_fail=None, on_skip=None
    )
    failed = {
        one["check_name"]: repr(one["exception"])[:300]
        for one in found
        if one["status"] == "failed"
    }
    assert failed == {}
    still = {one["check_name"] for one in found if one["status"] == "xfail"}
    assert still == set(expected)
    assert sum(one["status"] == "passed" for one in found) >= 20


def test_every_expected_failure_has_a_reason():
    for estimator in ESTIMATORS:
        assert all(len(reason) > 20 for reason in expected_failed_checks(estimator).values())
