"""How a forecaster learns from windows: scales, parts, members and their weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm.estimators import LSTMForecaster

SMALL = {
    "hidden_size": 16,
    "learning_rate_init": 0.01,
    "max_iter": 2,
    "random_state": 0,
    "n_estimators": 1,
}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TIME = np.arange(160)
SEASON = np.sin(2 * np.pi * TIME / 8) + 0.02 * TIME


def quick(**options):
    return LSTMForecaster(**{"horizon": 4, "window": 12, **SMALL, **options})


def test_the_scale_is_that_of_the_part_that_trains():
    y = np.concatenate([SEASON[:80], SEASON[:20] + 1000.0])
    model = quick(early_stopping=True, validation_fraction=0.2, refit=False).fit(y)
    np.testing.assert_allclose(model.scaler_.mean, SEASON[:80].mean())
    assert len(model.validation_loss_curve_) == 2
    model.set_params(refit=True).fit(y)
    np.testing.assert_allclose(model.scaler_.mean, y.mean())


def test_the_window_is_found_where_it_is_not_given():
    assert quick(window="auto").fit(SEASON).window_ == 28
    assert quick(window="auto", horizon=20).fit(SEASON).window_ == 40
    assert quick(window="auto", horizon=1).fit(SEASON[:16]).window_ == 5


@pytest.mark.parametrize(
    "name, value",
    [
        ("horizon", 0),
        ("window", 0),
        ("normalize", "first"),
        ("normalize", True),
        ("deseasonalize", 1),
        ("linear", 1),
        ("n_estimators", 0),
        ("refit", "yes"),
        ("early_stopping", "often"),
        ("loss", "mae"),
    ],
)
def test_options_of_its_own_are_checked(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        quick(**{name: value}).fit(SEASON)


def test_options_that_are_changed_later_change_no_forecast():
    model = quick().fit(SEASON)
    expected = model.predict()
    model.set_params(horizon=9, window=3, normalize=None, quantiles=[0.5], linear=False)
    np.testing.assert_array_equal(model.predict(), expected)


def test_all_kinds_of_members_are_made_and_weighed():
    model = quick(n_estimators=2).fit(SEASON)
    assert list(model.weights_) == ["lstm", "lstm last", "linear", "linear last"]
    assert sum(model.weights_.values()) == pytest.approx(1)
    model = quick(normalize="last", cell="gru", early_stopping=False).fit(SEASON)
    assert model.weights_ == {"gru last": 0.5, "linear last": 0.5}
    assert len(model.module_.members) == 2
    model = quick(normalize=None, linear=False, n_estimators=3, early_stopping=False).fit(SEASON)
    assert model.weights_ == {"lstm": 1.0}
    np.testing.assert_allclose(model.module_.weights.numpy(), 1 / 3, rtol=1e-6)


def test_who_forecasts_a_linear_series_best_gets_the_weight():
    weights = quick().fit(SEASON).weights_  # after two epochs no network knows a thing
    assert weights["linear"] + weights["linear last"] > 0.9


def test_without_a_part_set_aside_all_weigh_alike():
    model = quick(early_stopping=False).fit(SEASON)
    assert set(model.weights_.values()) == {0.25} and model.validation_loss_curve_ is None
    short = quick().fit(SEASON[:18])  # too short to set a part aside
    assert set(short.weights_.values()) == {0.25}
    with pytest.raises(ValueError, match="and 4 more to validate on, got n_samples=18"):
        quick(early_stopping=True).fit(SEASON[:18])


def test_a_series_that_is_too_short_is_named():
    with pytest.raises(ValueError, match=r"y\[1\]: expected at least window \+ horizon = 16 rows"):
        quick().fit([SEASON, SEASON[:15]])


def test_the_second_fit_learns_from_all_rows_for_the_best_epochs():
    model = quick(max_iter=30).fit(SEASON)
    first = quick(max_iter=30, refit=False).fit(SEASON)
    assert model.loss_curve_ == first.loss_curve_ and model.weights_ == first.weights_
    assert (model.predict() != first.predict()).any()


def test_a_second_fit_that_is_interrupted_leaves_the_first(monkeypatch):
    expected = quick(refit=False).fit(SEASON)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LSTMForecaster, "_learn_again", interrupted)
    model = quick()
    with pytest.raises(KeyboardInterrupt):
        model.fit(SEASON)
    np.testing.assert_array_equal(model.predict(), expected.predict())


def test_a_fit_that_is_refused_changes_nothing():
    model = quick().fit(SEASON)
    expected = model.predict()
    for bad in (SEASON[:3], np.full(160, np.nan), np.ones((160, 2))):
        with pytest.raises(ValueError):
            model.set_params(warm_start=True).fit(bad)
    np.testing.assert_array_equal(model.predict(), expected)
