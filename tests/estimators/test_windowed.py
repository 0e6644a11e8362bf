"""How a forecaster learns from windows, and what it refuses to forecast from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm.estimators import LSTMForecaster

SMALL = {"hidden_size": 16, "learning_rate_init": 0.01, "max_iter": 2, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TIME = np.arange(160)
SEASON = np.sin(2 * np.pi * TIME / 8) + 0.02 * TIME


def quick(**options):
    return LSTMForecaster(**{"horizon": 4, "window": 12, **SMALL, **options})


@pytest.mark.parametrize(
    "fit_x, y, X, message",
    [
        (None, None, np.ones(4), "X: expected None, as in fit"),
        (np.ones(160), None, None, "X: expected exogenous columns, as in fit, got None"),
        (np.ones(160), None, np.ones(3), "X: expected 4 rows, got 3"),
        (np.ones(160), SEASON, np.ones(160), "X: expected 164 rows, got 160"),
        (np.ones(160), None, np.ones((4, 2)), "2 features"),
        (np.ones(160), None, [np.ones(4), np.ones(4)], "X: expected 1 series, as y has, got 2"),
        (np.ones(160), None, np.full(4, np.nan), "Input X contains NaN"),
        (None, SEASON[:11], None, "y: expected at least the window's 12 rows, got n_samples=11"),
        (None, [SEASON, SEASON[:5]], None, r"y\[1\]: expected at least the window's 12 rows"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(fit_x, y, X, message):
    model = quick().fit(SEASON, fit_x)
    with pytest.raises(ValueError, match=message):
        model.predict(y, X)


def test_exogenous_rows_must_be_those_of_the_series():
    with pytest.raises(ValueError, match="X: expected 160 rows, got 159"):
        quick().fit(SEASON, np.ones(159))


def test_further_blocks_want_their_exogenous_rows():
    model = quick().fit(SEASON, np.ones(160))
    assert model.predict(X=np.ones(8), horizon=7).shape == (7,)
    with pytest.raises(ValueError, match="X: expected 8 rows, got 7"):
        model.predict(X=np.ones(7), horizon=7)


def test_the_scale_is_that_of_the_part_that_trains():
    y = np.concatenate([SEASON[:80], SEASON[:20] + 1000.0])
    model = quick(early_stopping=True, validation_fraction=0.2).fit(y)
    np.testing.assert_allclose(model.scaler_.mean_, SEASON[:80].mean())
    assert len(model.validation_loss_curve_) == 2


def test_the_window_is_found_where_it_is_not_given():
    assert quick(window="auto").fit(SEASON).window_ == 24
    assert quick(window="auto", horizon=20).fit(SEASON).window_ == 40
    assert quick(window="auto", horizon=1).fit(SEASON[:11]).window_ == 5


@pytest.mark.parametrize(
    "name, value", [("horizon", 0), ("window", 0), ("difference", 1), ("loss", "mae")]
)
def test_options_of_its_own_are_checked(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        quick(**{name: value}).fit(SEASON)


def test_options_that_are_changed_later_change_no_forecast():
    model = quick().fit(SEASON)
    expected = model.predict()
    model.set_params(horizon=9, window=3, difference=False, quantiles=[0.5])
    np.testing.assert_array_equal(model.predict(), expected)


def test_exogenous_columns_of_the_window_are_those_of_its_rows(rng):
    X = rng.normal(size=160)
    model = quick(max_iter=10).fit(SEASON[:100], X[:100])
    expected = model.predict(X=X[100:104])
    np.testing.assert_array_equal(model.predict(SEASON[:100], X[:104]), expected)
    later = model.predict(SEASON[:120], X[:124])
    np.testing.assert_array_equal(model.predict(SEASON[108:120], X[108:124]), later)
