"""A forecaster pairs rows of y and X by their times, where both have some."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")

from numba_lstm.estimators import LSTMForecaster  # noqa: E402
from numba_lstm.estimators.times import check_following, check_same_times  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TIMES = pd.date_range("2024-01-01", periods=60, freq="D")


def series(times):
    return pd.Series(np.arange(float(len(times))), times)


def fitted(y, X):
    options = {"horizon": 3, "window": 4, "hidden_size": 4, "max_iter": 1, "random_state": 0}
    return LSTMForecaster(**options).fit(y, X)


def test_exogenous_rows_have_the_times_of_the_series():
    y, X = series(TIMES[:40]), series(TIMES[1:41])
    message = "X: expected the times of y, got 2024-01-02 00:00:00 beside 2024-01-01 00:00:00"
    with pytest.raises(ValueError, match=message):
        fitted(y, X)
    with pytest.raises(ValueError, match=r"X\[1\]: expected the times of y"):
        fitted([y, y], [series(TIMES[:40]), X])
    model = fitted(y, series(TIMES[:40]))
    with pytest.raises(ValueError, match="X: expected the times of y"):
        model.score(y, X)


def test_exogenous_rows_follow_the_series():
    y = series(TIMES[:40])
    model = fitted(y, y)
    expected = model.predict(X=np.arange(40.0, 43.0))
    np.testing.assert_array_equal(model.predict(X=series(TIMES)[40:43]), expected)
    for start in (39, 41, 0):
        with pytest.raises(ValueError, match="X: expected the rows after 2024-02-09"):
            model.predict(X=series(TIMES[start : start + 3]))
    np.testing.assert_array_equal(model.predict(y, series(TIMES[:43])), expected)
    with pytest.raises(ValueError, match="X: expected the times of y"):
        model.predict(y, series(TIMES[1:44]))


@pytest.mark.parametrize("exogenous", [series(TIMES[:40]).reset_index(drop=True), np.arange(40.0)])
def test_rows_without_times_are_paired_by_their_order(exogenous):
    model = fitted(series(TIMES[:40]), exogenous)
    assert model.predict(X=exogenous[:3]).shape == (3,)


@pytest.mark.parametrize(
    "times",
    [
        TIMES,
        TIMES.to_period(),
        TIMES - TIMES[0],
        pd.date_range("2024-01-31", periods=60, freq="ME"),
        pd.date_range("2024-01-05", periods=60, freq="B"),
        pd.date_range("2024-03-29", periods=60, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin"),
    ],
    ids=["days", "periods", "since", "months", "business", "hours", "local"],
)
@pytest.mark.parametrize("steps", [1, 5])
def test_what_follows_is_known_for_times_of_every_kind(times, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_same_times("X", series(times), times[:50])
        check_following("X", series(times)[50 : 50 + steps], times[:50])
    with pytest.raises(ValueError, match="X: expected the rows after"):
        check_following("X", series(times)[51 : 51 + steps], times[:50])
    with pytest.raises(ValueError, match="X: expected the times of y"):
        check_same_times("X", series(times)[1:], times[:50])


def test_rows_that_keep_no_step_need_only_be_later():
    uneven = TIMES[[0, 1, 2, 4, 7, 8, 11]]
    check_following("X", series(TIMES[13:15]), uneven)
    with pytest.raises(ValueError, match="X: expected the rows after"):
        check_following("X", series(TIMES[11:14]), uneven)


def test_times_of_two_kinds_are_refused():
    for other in (TIMES.tz_localize("UTC"), TIMES.to_period(), TIMES - TIMES[0]):
        with pytest.raises(ValueError, match="X: expected times as y has"):
            check_same_times("X", series(other), TIMES)
    utc = TIMES.tz_localize("UTC")
    check_same_times("X", series(utc.tz_convert("Asia/Tokyo")), utc)
